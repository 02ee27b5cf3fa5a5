"""The public test kit: a scripted model with strict rules, and replay tests for recorded histories."""
