"""Sweeps: many trials of one experiment, planned so that few programs are compiled."""

from nnjax.sweeps.run_sweep import Swept, run_sweep
from nnjax.sweeps.space import Range, Values
from nnjax.sweeps.sweep import Search, Sweep, Trial

__all__ = ["Range", "Search", "Sweep", "Swept", "Trial", "Values", "run_sweep"]
