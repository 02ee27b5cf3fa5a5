"""Recorded histories, put to the workflow code of today: does it still do what they say?"""
