"""Populations: many trials trained at once by one program."""
