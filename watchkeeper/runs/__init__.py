"""Runs seen from outside: start, list and update them, and dispatch alerts to them."""
