"""Marks of parametrized cases."""

import pytest


def slow(*cases):
    """Cases for the slow tests only, as in ``["tpe", *slow("random", "qmc")]``.

    A tuple is a case of several arguments.
    """
    many = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*case, marks=pytest.mark.slow) for case in many]


def slow_among(cases, names):
    """All cases, of which those with these names are for the slow tests only."""
    return [pytest.param(case, marks=[pytest.mark.slow] * (case in names)) for case in cases]
