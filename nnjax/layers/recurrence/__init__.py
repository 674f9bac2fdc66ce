"""Layers that run a recurrent cell over time."""
