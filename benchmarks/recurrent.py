"""Seconds an update of recurrent networks takes: ``python -m benchmarks.recurrent``."""

import multiprocessing
import resource
import shlex
import statistics
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import tyro

from benchmarks import machine
from benchmarks.recurrent_peers import PEERS, WORKLOADS, Name, PeerName
from benchmarks.table import report, save, table

TITLES: dict[PeerName, str] = {
    "nnjax": "nnjax",
    "torch": "PyTorch eager",
    "flax": "`flax.linen.RNN`",
    "keras": "Keras on JAX, one-hot",
}
WORDS: dict[Name, str] = {
    "lstm": "Two layers of 256, batch 64, 128 steps, vocabulary 65.",
    "gru": "Two layers of 256, batch 64, 128 steps, vocabulary 65.",
    "recipes": "One LSTM of 256, batch 128, 50 steps, vocabulary 3,000, the next word alone.",
    "bidirectional": "One LSTM of 256 each way, batch 64, lengths from 16 to 128, one word out.",
}
PAUSE = 0.4
"""Seconds between two turns, after which threads that wait by spinning are asleep."""
OUTPUT = machine.result_page("recurrent")


@dataclass(frozen=True)
class Options:
    """Times recurrent networks in turn: forward, backward and an update of Adam.

    Attributes:
      workloads: the workloads to train.
      peers: the libraries to time; ratios are relative to "torch".
      rounds: turns of each peer, of which the table has the median.
      updates: updates of a turn.
      threads: processors that every peer may use; 0 is all.
      output: the Markdown file.
    """

    workloads: tuple[Name, ...] = tuple(WORKLOADS)
    peers: tuple[PeerName, ...] = tuple(PEERS)
    rounds: int = 9
    updates: int = 4
    threads: int = 0
    output: Path = OUTPUT


@dataclass
class Timing:
    """The measurements of one peer.

    Attributes:
      first: seconds of the first turn, compilation included.
      loss: loss after the first turn, on the batch that all peers train on.
      seconds: seconds an update, for each later turn.
      memory: peak memory of its process in bytes.
    """

    first: float
    loss: float
    seconds: list[float] = field(default_factory=list)
    memory: int = 0


def main(options: Options) -> None:
    """Times every workload and writes the page after each, so that an interruption loses little."""
    machine.use_threads(options.threads)
    command = shlex.join(["python", "-m", "benchmarks.recurrent", *sys.argv[1:]])
    sections = []
    for name in options.workloads:
        sections.append(section(name, compare(name, options), options))
        save(report("Speed of recurrent nets", command, sections), options.output)


def compare(name: Name, options: Options) -> dict[PeerName, Timing]:
    """Times every peer on the workload, in turn."""
    context = multiprocessing.get_context("spawn")
    connections: dict[PeerName, Connection] = {}
    timings: dict[PeerName, Timing] = {}
    processes = []
    for peer in options.peers:
        connection, other = context.Pipe()
        process = context.Process(target=worker, args=(other, peer, name), daemon=True)
        process.start()
        processes.append(process)
        other.close()
        first, loss, _ = ask(connection, options.updates)
        connections[peer], timings[peer] = connection, Timing(first * options.updates, loss)
    for _ in range(options.rounds):
        for peer, connection in connections.items():
            time.sleep(PAUSE)
            seconds, _, timings[peer].memory = ask(connection, options.updates)
            timings[peer].seconds.append(seconds)
    for connection, process in zip(connections.values(), processes, strict=True):
        connection.send(0)
        process.join()
    return timings


def ask(connection: Connection, updates: int) -> tuple[float, float, int]:
    """Asks a worker for a turn: seconds an update, loss, and peak memory."""
    connection.send(updates)
    return connection.recv()


def worker(connection: Connection, peer: PeerName, name: Name) -> None:
    """The process of one peer: trains the number of updates that it receives, until that is 0."""
    step = PEERS[peer](WORKLOADS[name])
    while updates := connection.recv():
        began = time.perf_counter()
        loss = step(updates)
        seconds = (time.perf_counter() - began) / updates
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        connection.send((seconds, loss, memory))


def section(name: Name, timings: dict[PeerName, Timing], options: Options) -> str:
    """The heading, description and table of one workload."""
    heads = ["peer", "ms an update", "min", "max", "ratio", "first s", "first loss", "memory MB"]
    rows = []
    for peer, timing in timings.items():
        milliseconds = [1000 * seconds for seconds in timing.seconds]
        ratio = ""
        if "torch" in timings:
            pairs = zip(timings["torch"].seconds, timing.seconds, strict=True)
            ratio = f"{statistics.median(torch / own for torch, own in pairs):.2f}"
        rows.append(
            [
                TITLES[peer],
                f"{statistics.median(milliseconds):.0f}",
                f"{min(milliseconds):.0f}",
                f"{max(milliseconds):.0f}",
                ratio,
                f"{timing.first:.1f}",
                f"{timing.loss:.4f}",
                f"{timing.memory / 1e6:.0f}",
            ]
        )
    words = (
        f"{WORDS[name]} {options.rounds} turns of {options.updates} updates each, in rotation "
        "after a first one that compiles. *Ratio*: PyTorch's seconds over the peer's. *First "
        "loss*: at the first turn's last update; nnjax and PyTorch start from the same weights."
    )
    return "\n\n".join([f"## {name}", words, table(heads, rows)])


if __name__ == "__main__":
    main(tyro.cli(Options, description=Options.__doc__))
