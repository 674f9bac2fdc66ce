"""Every public class and function has an example in its docstring, and every example runs."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import nnjax

PUBLIC = (
    "activations",
    "data",
    "data.tasks",
    "console",
    "export",
    "figures",
    "generation",
    "initializers",
    "interchange",
    "layers",
    "layers.cells",
    "learners",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "runs",
    "schedules",
    "solvers",
    "sweeps",
    "tables",
    "training",
)
"""The modules of nnjax that people import from."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public_objects():
    """Each public class and function once, by its full name."""
    found = {}
    for name in PUBLIC:
        module = importlib.import_module(f"nnjax.{name}")
        for attribute in getattr(module, "__all__", None) or vars(module):
            value = getattr(module, attribute)
            own = (getattr(value, "__module__", None) or "").startswith(module.__name__)
            is_public = own and not attribute.startswith("_") and value not in found.values()
            if is_public and (inspect.isclass(value) or inspect.isfunction(value)):
                found[f"{name}.{attribute}"] = value
    return found


def examples():
    """Every docstring of nnjax that has an example, as doctest reads it."""
    finder = doctest.DocTestFinder(exclude_empty=True, recurse=True)
    names = [
        module.name
        for module in pkgutil.walk_packages(nnjax.__path__, "nnjax.")
        if not module.name.startswith(("nnjax.__main__", "nnjax.configs", "nnjax.experiments"))
    ]
    return [
        test
        for name in names
        for test in finder.find(importlib.import_module(name))
        if test.examples
    ]


@pytest.mark.parametrize("name", sorted(public_objects()))
def test_it_has_an_example(name):
    assert "Example:" in (public_objects()[name].__doc__ or "")


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_the_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = []
    doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
    assert not report, "".join(report)
