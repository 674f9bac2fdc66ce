"""The figures of a sweep: learning curves, hyperparameters, parallel coordinates, importance."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna

from nnjax.runs.run import Run
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.record.importance import importances
from nnjax.sweeps.record.results import Result, is_seed, paths
from nnjax.sweeps.record.study import Study
from nnjax.sweeps.report.report import short_names
from nnjax.training.progress import format_metric


class Drawn(NamedTuple):
    """The figures of a sweep.

    Attributes:
      files: their files, the most useful first.
      missing: for each figure that could not be drawn, the reason in a sentence.
    """

    files: list[Path]
    missing: list[str]


def draw_figures(
    found: Sequence[Result], study: Study, objective: Objective, name: str, folder: Path
) -> Drawn:
    """Draws the figures of a sweep, finished or not, as PNG files.

    Args:
      found: the results, the best first; at least one is complete.
      study: the record of their trials.
      objective: the metric that ranked them.
      name: of the experiment.
      folder: for the files.

    Raises:
      UserError: the disk is full or read-only.
    """
    from nnjax.figures import save

    shares, reason = importances(study)
    pictures = _Pictures(found, study, objective, name, shares)
    files = [save(figure, folder / f"{stem}.png") for stem, figure in pictures.all()]
    missing = [f"no importance: {reason}"] if reason else []
    if not pictures.has_curves:
        missing.insert(0, f"no learning curves: no run has records of a {objective.metric}")
    return Drawn(files, missing)


class _Pictures:
    """The figures, and the values that they share."""

    def __init__(
        self,
        found: Sequence[Result],
        study: Study,
        objective: Objective,
        name: str,
        shares: dict[str, float],
    ):
        self._found, self._objective, self._name = found, objective, name
        self._short = short_names(paths(found))
        self._shares = shares
        self._values = [
            {self._short[path]: _shown(label) for path, label in one.labels.items()}
            for one in found
        ]
        self._kinds = _kinds(study, self._short)
        self.has_curves = False

    def all(self) -> Iterator[tuple[str, Any]]:
        """The name of each figure, and the figure."""
        if (curves := self._curves()) is not None:
            self.has_curves = True
            yield "learning_curves", curves
        yield "hyperparameters", self._hyperparameters()
        yield "parallel_coordinates", self._parallel_coordinates()
        if self._shares:
            yield "importance", self._importance()

    def _hyperparameters(self) -> Any:
        from nnjax.figures import draw_hyperparameters

        metric = str(self._objective)
        return draw_hyperparameters(
            self._values,
            [one.value for one in self._found],
            [one.state for one in self._found],
            metric,
            scales=self._kinds,
            title=f"{self._name}: {metric} against each hyperparameter",
        )

    def _parallel_coordinates(self) -> Any:
        from nnjax.figures import draw_parallel_coordinates

        return draw_parallel_coordinates(
            self._values,
            [one.value for one in self._found],
            str(self._objective),
            maximize=self._objective.maximize,
            scales=self._kinds,
            title=f"{self._name}: {len(self._found)} trials",
        )

    def _importance(self) -> Any:
        from nnjax.figures import draw_importances

        complete = sum(one.value is not None for one in self._found)
        return draw_importances(
            {self._short.get(path, path): share for path, share in self._shares.items()},
            f"{self._name}: importance for the {self._objective}",
            f"share of the variance, functional ANOVA of {complete} complete trials",
        )

    def _curves(self) -> Any:
        """The learning curves of the trials that have any; None where none has."""
        from nnjax.figures import draw_sweep_curves
        from nnjax.figures.curves import read_curves

        metric = self._objective.metric
        measured = {
            one.number: read_curves(Run(one.directory, self._name).read_metrics()).get(metric, {})
            for one in self._found
        }
        split = self._split(measured.values())
        shown = [one for one in self._found if split in measured[one.number]]
        if not shown:
            return None
        by = self._colour_by(shown)
        return draw_sweep_curves(
            [measured[one.number][split] for one in shown],
            [one.state for one in shown],
            f"{split} {metric}".replace("_", " "),
            best=self._best(shown[0]),
            colour_by=self._short.get(by, ""),
            values=[_shown(one.labels[by]) for one in shown] if by else (),
            kind=self._kinds.get(self._short.get(by, "")),
            title=f"{self._name}: learning curves of {len(shown)} trials",
        )

    def _best(self, first: Result) -> str:
        """The label of the best trial; empty where it has no curve."""
        if first is not self._found[0] or first.value is None:
            return ""
        return f"trial {first.number}, {format_metric(first.value)}"

    def _split(self, measured: Any) -> str:
        """The split that ranks the trials, or another where that one has no curves."""
        there = {split for curves in measured for split in curves}
        wanted = (self._objective.split, "validation", "test", "train")
        return next((split for split in wanted if split in there), "")

    def _colour_by(self, shown: Sequence[Result]) -> str:
        """The most important hyperparameter that all trials have; empty where there is none."""
        everywhere = [path for path in self._short if all(path in one.labels for one in shown)]
        ordered = [path for path in self._shares if path in everywhere] or everywhere
        telling = [path for path in ordered if len({repr(o.labels[path]) for o in shown}) > 1]
        return next((path for path in telling if not is_seed(path)), "")


def _shown(label: Any) -> Any:
    """A value for figures: a number, a boolean or a word."""
    if isinstance(label, list | tuple):
        return " ".join(map(str, label))
    return "None" if label is None else label


def _kinds(study: Study, short: dict[str, str]) -> dict[str, str]:
    """The scale of the axis of each hyperparameter that is a range or a seed."""
    kinds = {}
    for trial in study.trials():
        for path, one in trial.distributions.items():
            if path in short and not isinstance(one, optuna.distributions.CategoricalDistribution):
                kinds[short[path]] = "log" if getattr(one, "log", False) else "linear"
    return kinds | {name: "ticks" for path, name in short.items() if is_seed(path)}
