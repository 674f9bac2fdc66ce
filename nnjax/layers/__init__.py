"""Layers: one mathematical idea a file."""
