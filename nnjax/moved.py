"""Module paths of version 0.1.0, so that code written for that version can still be imported.

Importing an old path gives the module of the new path: both names are the same module, with the
same classes.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

MOVED = {
    "nnjax.data.buckets": "nnjax.data.text.buckets",
    "nnjax.data.cifar10": "nnjax.data.images.cifar10",
    "nnjax.data.csv_rows": "nnjax.data.tables.csv_rows",
    "nnjax.data.digit_names": "nnjax.data.text.digit_names",
    "nnjax.data.idx": "nnjax.data.images.idx",
    "nnjax.data.image_folder": "nnjax.data.images.image_folder",
    "nnjax.data.labelled": "nnjax.data.text.labelled",
    "nnjax.data.mnist": "nnjax.data.images.mnist",
    "nnjax.data.mnist_wheel": "nnjax.data.images.mnist_wheel",
    "nnjax.data.padding": "nnjax.data.text.padding",
    "nnjax.data.pairs": "nnjax.data.text.pairs",
    "nnjax.data.parallel": "nnjax.data.text.parallel",
    "nnjax.data.python_code": "nnjax.data.text.python_code",
    "nnjax.data.sequences": "nnjax.data.text.sequences",
    "nnjax.data.table": "nnjax.data.tables.table",
    "nnjax.data.tagged": "nnjax.data.text.tagged",
    "nnjax.data.text_files": "nnjax.data.text.files",
    "nnjax.data.text_folder": "nnjax.data.text.folder",
    "nnjax.data.text_table": "nnjax.data.text.table",
    "nnjax.data.tfds_texts": "nnjax.data.text.tfds_texts",
    "nnjax.data.toys": "nnjax.data.tables.toys",
    "nnjax.data.windows": "nnjax.data.text.windows",
    "nnjax.figures.hyperparameter_scale": "nnjax.figures.sweeps.hyperparameter_scale",
    "nnjax.figures.hyperparameters": "nnjax.figures.sweeps.hyperparameters",
    "nnjax.figures.importances": "nnjax.figures.sweeps.importances",
    "nnjax.figures.parallel_coordinates": "nnjax.figures.sweeps.parallel_coordinates",
    "nnjax.figures.sweep_curves": "nnjax.figures.sweeps.sweep_curves",
    "nnjax.layers.convolution": "nnjax.layers.images.convolution",
    "nnjax.layers.cudnn": "nnjax.layers.recurrence.cudnn",
    "nnjax.layers.directions": "nnjax.layers.recurrence.recurrent",
    "nnjax.layers.gated_scan": "nnjax.layers.recurrence.gated_scan",
    "nnjax.layers.layout": "nnjax.layers.images.layout",
    "nnjax.layers.maximum": "nnjax.layers.images.maximum",
    "nnjax.layers.parts": "nnjax.layers.images.parts",
    "nnjax.layers.patches": "nnjax.layers.images.patches",
    "nnjax.layers.pooling": "nnjax.layers.images.pooling",
    "nnjax.layers.products": "nnjax.layers.recurrence.gated_scan",
    "nnjax.layers.recurrent": "nnjax.layers.recurrence.recurrent",
    "nnjax.layers.scan": "nnjax.layers.recurrence.scan",
    "nnjax.models.captioner": "nnjax.models.sequences.captioner",
    "nnjax.models.cnn": "nnjax.models.images.cnn",
    "nnjax.models.dense_layers": "nnjax.models.dense.dense_layers",
    "nnjax.models.encoder_decoder": "nnjax.models.sequences.encoder_decoder",
    "nnjax.models.language_model": "nnjax.models.sequences.language_model",
    "nnjax.models.mlp": "nnjax.models.dense.mlp",
    "nnjax.models.neuron": "nnjax.models.dense.neuron",
    "nnjax.models.recurrent_outputs": "nnjax.models.sequences.sequence_inputs",
    "nnjax.models.sequence_classifier": "nnjax.models.sequences.sequence_classifier",
    "nnjax.models.sequence_inputs": "nnjax.models.sequences.sequence_inputs",
    "nnjax.models.sequence_tagger": "nnjax.models.sequences.sequence_tagger",
    "nnjax.models.transformer": "nnjax.models.sequences.transformer",
    "nnjax.sweeps.conduct": "nnjax.sweeps.run.conduct",
    "nnjax.sweeps.directory": "nnjax.sweeps.record.directory",
    "nnjax.sweeps.display": "nnjax.sweeps.run.display",
    "nnjax.sweeps.estimate": "nnjax.sweeps.run.estimate",
    "nnjax.sweeps.group": "nnjax.sweeps.population.group",
    "nnjax.sweeps.importance": "nnjax.sweeps.record.importance",
    "nnjax.sweeps.layout": "nnjax.sweeps.population.layout",
    "nnjax.sweeps.member": "nnjax.sweeps.population.member",
    "nnjax.sweeps.objective": "nnjax.sweeps.plan.objective",
    "nnjax.sweeps.on_ray": "nnjax.sweeps.run.on_ray",
    "nnjax.sweeps.plan_report": "nnjax.sweeps.report.plan_report",
    "nnjax.sweeps.processes": "nnjax.sweeps.run.processes",
    "nnjax.sweeps.report_figures": "nnjax.sweeps.report.report_figures",
    "nnjax.sweeps.results": "nnjax.sweeps.record.results",
    "nnjax.sweeps.results_csv": "nnjax.sweeps.record.results_csv",
    "nnjax.sweeps.run_sweep": "nnjax.sweeps.run.run_sweep",
    "nnjax.sweeps.seeds": "nnjax.sweeps.report.seeds",
    "nnjax.sweeps.shared_data": "nnjax.sweeps.plan.shared_data",
    "nnjax.sweeps.space": "nnjax.sweeps.plan.space",
    "nnjax.sweeps.study": "nnjax.sweeps.record.study",
    "nnjax.sweeps.sweep": "nnjax.sweeps.plan.sweep",
    "nnjax.sweeps.tracing": "nnjax.sweeps.plan.tracing",
    "nnjax.sweeps.worker": "nnjax.sweeps.run.worker",
    "nnjax.training.agreement": "nnjax.distributed.collectives",
    "nnjax.training.chatter": "nnjax.runs.orbax_logging",
    "nnjax.training.checkpoints": "nnjax.runs.checkpoints",
    "nnjax.training.config_json": "nnjax.runs.config_json",
    "nnjax.training.data_json": "nnjax.runs.data_json",
    "nnjax.training.devices": "nnjax.distributed.devices",
    "nnjax.training.environment": "nnjax.runs.environment",
    "nnjax.training.hosts": "nnjax.distributed.hosts",
    "nnjax.training.json_files": "nnjax.runs.json_files",
    "nnjax.training.json_lines": "nnjax.runs.json_lines",
    "nnjax.training.remedy": "nnjax.training.divergence_advice",
    "nnjax.training.roll_call": "nnjax.distributed.rendezvous",
    "nnjax.training.runs": "nnjax.runs.run",
    "nnjax.training.shares": "nnjax.distributed.process_rows",
}
"""The new path of every module that moved, by its old path."""


class _MovedModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules in ``MOVED``, for paths that no other finder knows."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name in MOVED else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(MOVED[spec.name])
        # The import system replaces the spec of the module; exec_module restores it.
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _Package(ModuleType):
    """A package in which a moved module does not hide what is public under the same name.

    Importing ``nnjax.sweeps.run_sweep`` would set that attribute of ``nnjax.sweeps``, the function
    of that name, to the module.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        is_moved = isinstance(value, ModuleType) and f"{self.__name__}.{name}" in MOVED
        if not (is_moved and name in self.__dict__.get("__all__", ())):
            super().__setattr__(name, value)


def keep_public_names(package: str) -> None:
    """Keeps importing a moved module from hiding a public name of its old package.

    Args:
      package: the name of the package, which is being imported.
    """
    sys.modules[package].__class__ = _Package


def install() -> None:
    """Adds a finder of moved modules after all other finders."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(_MovedModules())
