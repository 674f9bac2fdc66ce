"""Sweeps: many trials of one experiment, planned so that few programs are compiled."""

from nnjax import moved
from nnjax.sweeps.plan.space import Range, Values
from nnjax.sweeps.plan.sweep import Search, Sweep, Trial
from nnjax.sweeps.run.run_sweep import Swept, run_sweep

__all__ = ["Range", "Search", "Sweep", "Swept", "Trial", "Values", "run_sweep"]

moved.keep_public_names(__name__)
