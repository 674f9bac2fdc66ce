"""Hypothesis without a deadline: what compiles on its first call is slow once."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
