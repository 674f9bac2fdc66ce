"""Trains with a fault in each of many file operations, resumes, and prints how each ended.

Started by ``test_fault_injection.py`` with ``faults.c`` preloaded. JAX and nnjax are imported once;
every training is a fork of this process, so that hundreds of them take minutes.
"""

import ctypes
import hashlib
import json
import os
import shutil
import sys
import traceback
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint  # noqa: F401

# Imported before the first fork, so that no fork imports them again.
from nnjax.cli.main import main
from nnjax.cli.runs import open_run
from nnjax.sweeps.record.study import JOURNAL
from nnjax.training.snapshot import read_trained

TRIES = 6
"""Resumes after a fault before a run that does not end counts as lost."""


class Faults:
    """The preloaded library."""

    def __init__(self):
        self._library = ctypes.CDLL(None)

    def arm(self, directory: Path, mode: str, number: int) -> None:
        """Lets operation ``number`` under ``directory`` fail; 0 counts only."""
        self._library.arm(str(directory).encode(), ctypes.c_char(mode.encode()), number)

    def counted(self) -> int:
        """Operations since :meth:`arm`."""
        self._library.counted.restype = ctypes.c_long
        return self._library.counted()


FAULTS = Faults()


def in_a_fork(action, log: Path) -> int:
    """Calls ``action`` in a fork, its output in ``log``; returns its status, -9 where killed."""
    process = os.fork()
    if process == 0:
        status = 99
        try:
            with log.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            status = action()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def digest_of_run(run: Path) -> str:
    """A checksum of the trained parameters and of the metrics of a run."""
    opened = open_run(run)
    _, state, _ = read_trained(opened.experiment, opened.run, opened.load_data())
    found = hashlib.sha256((run / "metrics.jsonl").read_bytes())
    for leaf in jax.tree.leaves(state.params):
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()


def digest_of_sweep(sweep: Path) -> str:
    """A checksum of the results and the drawn values of a sweep's trials."""
    found = hashlib.sha256()
    for trial in sorted((sweep / "trials").iterdir(), key=lambda path: path.name):
        found.update(trial.name.encode())
        found.update((trial / "config.json").read_bytes())
        found.update((trial / "metrics.jsonl").read_bytes())
    return found.hexdigest()


def attempt(folder: Path, words: list[str], mode: str, number: int) -> dict:
    """Trains with one fault, resumes to the end, and says how it went."""
    target = folder / "target"
    shutil.rmtree(target, ignore_errors=True)
    log, result = folder / "log", folder / "result"
    result.unlink(missing_ok=True)
    is_sweep = words[0] == "sweep"
    option = "--sweep-dir" if is_sweep else "--run-dir"
    begin = [*words, option, str(target)]

    def train_with_fault() -> int:
        FAULTS.arm(target, mode, number)
        status = main(begin)
        result.write_text(str(FAULTS.counted()))
        return status

    def digest() -> int:
        result.write_text((digest_of_sweep if is_sweep else digest_of_run)(target))
        return 0

    first = status = in_a_fork(train_with_fault, log)
    said = log.read_text()
    operations = int(result.read_text()) if result.exists() else None
    tries = 0
    while status != 0 and tries < TRIES:
        made = (target / (JOURNAL if is_sweep else "config.json")).exists()
        again = ["resume", str(target)] if made else begin
        status = in_a_fork(lambda again=again: main(again), log)
        tries += 1
    end = log.read_text()
    if status == 0:
        status = in_a_fork(digest, log)
    return {
        "mode": mode,
        "number": number,
        "first": first,
        "said": said,
        "operations": operations,
        "status": status,
        "end": end if status == 0 else end + log.read_text(),
        "digest": result.read_text() if status == 0 else None,
    }


def run(folder: Path, words: list[str], modes: str, count: int) -> None:
    """Prints, as JSON lines, the undisturbed training and one with each of many faults."""
    whole = attempt(folder, words, "k", 0)
    print(json.dumps(whole), flush=True)
    for mode in modes:
        numbers = np.unique(np.linspace(1, whole["operations"], count).astype(int))
        for number in numbers:
            print(json.dumps(attempt(folder, words, mode, int(number))), flush=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
