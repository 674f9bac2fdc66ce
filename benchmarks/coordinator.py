"""Interleaved timing: peers train in turn, so that noise of the machine affects all alike."""

import contextlib
import statistics
import sys
import time
from dataclasses import dataclass, field

from benchmarks import machine
from benchmarks.peers import Name as PeerName
from benchmarks.processes import PeerFailed, Worker, nnjax_train
from benchmarks.workloads import Workload

REFERENCE: PeerName = "torch"
PAUSE = 0.4
"""Seconds between two turns, after which threads that wait by spinning are asleep."""


@dataclass
class Timing:
    """The measurements of one peer on one workload.

    Attributes:
      first: seconds of the first turn, compilation included.
      seconds: seconds of each later turn, in order.
      loss: loss on the test split after all turns.
      accuracy: accuracy on the test split after all turns.
    """

    first: float = 0.0
    seconds: list[float] = field(default_factory=list)
    loss: float = 0.0
    accuracy: float = 0.0


@dataclass
class Whole:
    """The measurements of processes of ``nnjax train``.

    Attributes:
      epochs: epochs of each process.
      summaries: the ``summary.json`` of each, with ``wall_seconds``.
      reference: seconds an epoch of the reference just before each process; empty without one.
    """

    epochs: int
    summaries: list[dict] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)

    def median(self, name: str) -> float:
        """The median of one number of the summaries."""
        return statistics.median(summary[name] for summary in self.summaries)

    def ratio(self, name: str) -> float | None:
        """The median of the reference's seconds over the summary's."""
        pairs = zip(self.reference, self.summaries, strict=False)
        ratios = [self.epochs * seconds / summary[name] for seconds, summary in pairs]
        return statistics.median(ratios) if ratios else None


@dataclass
class Comparison:
    """The measurements of all peers on one workload.

    Attributes:
      workload: the workload.
      examples: examples of an epoch.
      epochs: epochs of a turn.
      timings: the timing of each peer.
      whole: the timing of ``nnjax train`` itself; None if not requested.
      others: share of the machine that other processes used during the turns; None if unknown.
      failed: peers that could not run.
    """

    workload: Workload
    examples: int = 0
    epochs: int = 1
    timings: dict[PeerName, Timing] = field(default_factory=dict)
    whole: Whole | None = None
    others: float | None = None
    failed: list[PeerName] = field(default_factory=list)

    def ratio(self, peer: PeerName) -> float | None:
        """The median over the rounds of the reference's seconds over the peer's."""
        if REFERENCE not in self.timings:
            return None
        pairs = zip(self.timings[REFERENCE].seconds, self.timings[peer].seconds, strict=True)
        return statistics.median(reference / own for reference, own in pairs)


class Load:
    """The load of other processes while workers are timed."""

    def __init__(self):
        self._foreign = self._whole = 0.0

    def time(self, worker: Worker, epochs: int) -> float:
        """Returns the seconds that a worker takes to train."""
        before = machine.busy_seconds(), worker.cpu_seconds()
        began = time.perf_counter()
        seconds = worker.train(epochs)
        wall = time.perf_counter() - began
        after = machine.busy_seconds(), worker.cpu_seconds()
        if None not in (*before, *after):
            busy, own = (now - then for now, then in zip(after, before, strict=True))  # pyright: ignore
            self._foreign += max(0.0, busy - own)
            self._whole += wall * machine.cores()
        return seconds

    @property
    def share(self) -> float | None:
        """The share of the processors that others used, 0 to 1, or more if not all are in use."""
        return self._foreign / self._whole if self._whole else None


def compare(
    workload: Workload,
    peers: tuple[PeerName, ...],
    *,
    rounds: int,
    epochs: int = 1,
    train_runs: int = 0,
    images: int | None = None,
) -> Comparison:
    """Times peers on a workload, in turn.

    Args:
      workload: the workload to train.
      peers: names of :data:`benchmarks.peers.MODULES`.
      rounds: turns of each peer, after a first one that compiles.
      epochs: epochs of a turn.
      train_runs: processes of ``nnjax train``, each after a turn of the reference.
      images: train on this number of images only; None is all.
    """
    result = Comparison(workload, epochs=epochs)
    load = Load()
    with contextlib.ExitStack() as stack:
        workers = _start(workload, peers, images, result, stack)
        for index in range(rounds):
            # Alternating the order, each peer follows another as often as it precedes it.
            for worker in workers if index % 2 == 0 else reversed(workers):
                time.sleep(PAUSE)
                seconds = load.time(worker, epochs)
                result.timings[worker.peer].seconds.append(seconds)
            _say(f"{workload.name}: round {index + 1} of {rounds}")
        for worker in workers:
            measured = worker.measure()
            timing = result.timings[worker.peer]
            timing.loss, timing.accuracy = measured["loss"], measured["accuracy"]
        result.others = load.share
        if train_runs:
            reference = next((each for each in workers if each.peer == REFERENCE), None)
            result.whole = _train_whole(workload, reference, train_runs, images)
    return result


def _start(
    workload: Workload,
    peers: tuple[PeerName, ...],
    images: int | None,
    result: Comparison,
    stack: contextlib.ExitStack,
) -> list[Worker]:
    """Starts the workers and lets each train once; reports and leaves out those that fail."""
    workers = []
    for peer in peers:
        try:
            worker = stack.enter_context(Worker(peer, workload, images))
            result.timings[peer] = Timing(first=worker.train(result.epochs))
            result.examples = worker.examples
            workers.append(worker)
            _say(f"{workload.name}: {peer} is ready")
        except PeerFailed:
            result.timings.pop(peer, None)
            result.failed.append(peer)
            _say(f"{workload.name}: {peer} failed and is left out; its error is above")
    return workers


def _train_whole(
    workload: Workload, reference: Worker | None, runs: int, images: int | None
) -> Whole:
    """Times ``nnjax train`` several times, each time after three turns of the reference."""
    whole = Whole(workload.train_epochs)
    for index in range(runs):
        if reference is not None:
            turns = []
            for _ in range(3):
                time.sleep(PAUSE)
                turns.append(reference.train(1))
            whole.reference.append(statistics.median(turns))
        time.sleep(PAUSE)
        whole.summaries.append(nnjax_train(workload, whole.epochs, images))
        _say(f"{workload.name}: nnjax train {index + 1} of {runs}")
    return whole


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
