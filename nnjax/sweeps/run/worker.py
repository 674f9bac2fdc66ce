"""A worker: claims waiting trials and trains them, until none is left."""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from jax.sharding import Mesh

from nnjax.errors import warn
from nnjax.runs.checkpoints import AllDamaged, import_in_background, set_all_aside
from nnjax.runs.run import Run
from nnjax.sweeps.plan.effort import comparison_epochs, comparison_step
from nnjax.sweeps.plan.objective import Objective
from nnjax.sweeps.plan.shared_data import SharedData
from nnjax.sweeps.plan.sweep import Sweep
from nnjax.sweeps.plan.tracing import Lifted
from nnjax.sweeps.population import layout
from nnjax.sweeps.population.group import Groups
from nnjax.sweeps.population.member import Measured, Member
from nnjax.sweeps.population.population import Population
from nnjax.sweeps.record.directory import SweepDirectory
from nnjax.sweeps.record.study import PROGRAM, Study
from nnjax.sweeps.run import processes
from nnjax.training.experiment import Experiment
from nnjax.training.fit import Diverged, fit
from nnjax.training.interruption import Interrupted, Request, requests

Train = Callable[[Experiment, Run, bool], Mapping[str, Any]]
"""``(experiment, run, resume) -> summary``: trains one trial alone."""

ENDED = ("finished", "pruned", "diverged")
"""The states of a run that needs no more training."""

Modules = Mapping[str, ModuleType]
"""Loaded modules by name, for classes of the user's own config file."""


class Worker:
    """Trains the waiting trials of a sweep, until none is left."""

    def __init__(
        self,
        directory: SweepDirectory,
        study: Study,
        sweep: Sweep,
        objective: Objective,
        mesh: Mesh,
        *,
        modules: Modules | None = None,
        train_alone: Train | None = None,
        on_change: Callable[[], None] = lambda: None,
    ):
        """Prepares the worker.

        Args:
          directory: of the sweep.
          study: its record.
          sweep: the sweep.
          objective: the metric that ranks the trials.
          mesh: the devices of this worker.
          modules: for classes of the user's own config file.
          train_alone: trains each trial by a script of its own; None uses populations, and ``fit``
            for trials that cannot be part of one.
          on_change: called often while trials train.
        """
        self._directory, self._study, self._search = directory, study, sweep.search
        self._unit = comparison_epochs(sweep)
        self._objective, self._mesh, self._modules = objective, mesh, modules
        self._train_alone = train_alone or _fit_alone
        self._alone = train_alone is not None
        self._on_change = on_change
        self._load_data = SharedData()
        self._name = ""
        self._program = -1
        self._request: Request | None = None
        self._groups: Any = None
        self._population: Any = None
        self._members: list[Member] = []

    def work(self) -> None:
        """Trains waiting trials, program by program, until none is left.

        Raises:
          Interrupted: SIGTERM or SIGINT came; every trial in training is saved and waits again.
        """
        import_in_background()
        with self._directory.locks.working() as self._name, requests() as self._request:
            while (program := self._next_program()) is not None:
                self._train_program(program)

    def _next_program(self) -> int | None:
        """A program with a waiting trial, the last program if possible; None where none waits."""
        waiting = [trial.user_attrs.get(PROGRAM) for trial in self._study.waiting()]
        numbers = [number for number in waiting if number is not None]
        if not numbers:
            return None
        return self._program if self._program in numbers else numbers[0]

    def _train_program(self, number: int) -> None:
        entry = self._directory.read_programs()[str(number)]
        if self._alone or not entry["together"]:
            self._train_one_by_one(number)
            return
        suspects = self._claim(number, 1, suspects=True)
        first = suspects or self._claim(number, 1)
        if not first:
            return
        if number != self._program:
            experiment = self._experiment(first[0])
            self._groups = self._make_groups(experiment, tuple(entry["arguments"]))
            self._program = number
        size = self._size(number, entry, first[0])
        # A trial that may have killed its workers trains alone, so that it kills no other trial.
        others = [] if suspects else self._claim(number, size - 1)
        try:
            members = [self._member(trial) for trial in (*first, *others)]
            self._population = Population(members, self._groups, self)
            self._population.train()
        finally:
            for member in self._members:
                member.release()
            self._members.clear()

    def _claim(self, program: int, most: int, *, suspects: bool = False) -> list[int]:
        """Claims trials to train; the result of a run that has ended already is only recorded."""
        to_train = []
        for trial in self._study.claim(program, most, self._name, suspects=suspects):
            run = self._directory.open_trial(trial.number)
            if run.status in ENDED:
                self._end(trial.number, run.status, run.read_summary())
            else:
                to_train.append(trial.number)
        return to_train

    def _make_groups(self, experiment: Experiment, arguments: tuple[str, ...]) -> Groups:
        data = self._load_data(experiment)
        lifted = Lifted(experiment, data, arguments)
        return Groups(lifted, data, experiment.training, self._mesh)

    def _size(self, number: int, entry: Mapping[str, Any], claimed: int) -> int:
        """How many trials of a program to train at once: as measured, and at most a worker's share.

        Args:
          number: of the program.
          entry: of the program, in ``programs.json``.
          claimed: the number of the trial that is claimed already.
        """
        others = [t.number for t in self._study.waiting() if t.user_attrs.get(PROGRAM) == number]
        waiting = [claimed, *others]
        share = -(-len(waiting) // processes.count())
        if known := self._search.members or entry.get("members"):
            return min(known, share)
        most = min(share, layout.MOST, layout.fits_memory(self._groups.lifted, self._mesh))
        experiments = [self._experiment(trial) for trial in waiting[:most]]
        found = layout.choose(self._groups, experiments)
        self._directory.note_program(number, **found._asdict())
        return found.members

    def _member(self, number: int) -> Member:
        made = Member(
            number,
            self._experiment(number),
            self._directory.open_trial(number),
            self._groups.data,
            self._groups.lifted,
        )
        self._members.append(made)
        return made

    def _experiment(self, number: int) -> Experiment:
        return self._directory.open_trial(number).read_config(self._modules)

    # Calls of a population

    def evaluated(self, member: Member, train: dict[str, float], measured: Measured) -> bool:
        """Reports the objective to the pruner; returns whether it stops the member."""
        value = self._objective.value({"train": train, **measured})
        step = comparison_step(member.experiment.training, member.evaluations, self._unit)
        return value is not None and self._study.report(member.number, value, step)

    def ended(self, member: Member, status: str, summary: dict[str, Any]) -> None:
        """Records how a member ended."""
        self._end(member.number, status, summary)

    def more(self, most: int) -> Sequence[Member]:
        """Members for free slots: waiting trials of the same program."""
        return [self._member(trial) for trial in self._claim(self._program, most)]

    def went_on(self) -> None:
        """Updates the display; saves every member and raises where a signal asks to stop."""
        self._on_change()
        if self._request is not None and self._request.signal_number is not None:
            for member in self._population.stop():
                self._study.put_back(member.number)
            raise Interrupted(_hint(self._directory), self._request.signal_number)

    # Trials alone

    def _train_one_by_one(self, number: int) -> None:
        """Trains the trials of a program one after another, each as ``nnjax train`` does."""
        if self._search.pruner != "none":
            warn(f"the pruner '{self._search.pruner}' does not stop trials that train one by one")
        while claimed := self._claim(number, 1) or self._claim(number, 1, suspects=True):
            (trial,) = claimed
            try:
                summary = self._train_one(trial)
            except Diverged as error:
                self._study.fail(trial, str(error))
            except Interrupted as error:
                self._study.put_back(trial)
                raise Interrupted(_hint(self._directory), error.signal_number) from error
            else:
                self._end(trial, "finished", summary)
            self._on_change()

    def _train_one(self, number: int) -> Mapping[str, Any]:
        run = self._directory.open_trial(number)
        experiment = run.read_config(self._modules)
        try:
            return self._train_alone(experiment, run, run.read_data() is not None)
        except AllDamaged as error:
            warn(f"trial {number} begins anew: {error.what}")
        set_all_aside(run.checkpoints)
        return self._train_alone(experiment, run, True)

    def _end(self, number: int, status: str, summary: Mapping[str, Any]) -> None:
        value = self._objective.value(summary)
        if status == "pruned":
            self._study.prune(number)
        elif status == "diverged":
            step = summary["step"]
            self._study.fail(number, f"the loss became NaN or infinite at step {step:,}")
        elif value is None:
            self._study.fail(number, f"its {self._objective} was not measured, or is no number")
        else:
            self._study.complete(number, value)
        self._on_change()


def _fit_alone(experiment: Experiment, run: Run, resume: bool) -> Mapping[str, Any]:
    data = experiment.data.load()
    result = fit(experiment.learner, data, experiment.training, run=run, resume=resume)
    return result.summary


def _hint(directory: SweepDirectory) -> str:
    return f"stopped; {directory.how_to_go_on}"
