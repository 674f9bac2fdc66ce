"""Benchmarks: the speed of nnjax and of its peers, and what a run costs beside its training."""
