"""Benchmarks: nnjax beside its peers, and what a run costs beside its training."""
