"""Optimizers: typed options, from which the update is built inside the traced function."""

from nnjax.optimizers.algorithms import (
    NAMES,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    FromOptax,
    Lamb,
    Lion,
    Momentum,
    Nadam,
    Nesterov,
    RAdam,
    RMSprop,
)
from nnjax.optimizers.groups import Group
from nnjax.optimizers.optimizer import AnyOptimizer, Optimizer, build, evaluation_params

__all__ = [
    "NAMES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AnyOptimizer",
    "FromOptax",
    "Group",
    "Lamb",
    "Lion",
    "Momentum",
    "Nadam",
    "Nesterov",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "build",
    "evaluation_params",
]
