"""Agreement: what the processes of one run must all know, or all decide alike.

With a single process everything here is a plain call, at no cost. With several, each function must
be called by all of them, in the same order: it waits until they have come.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from nnjax.errors import UserError

Value = TypeVar("Value")

CHUNK = 1024
"""Messages are padded to a multiple of so many bytes: each size is a program to compile."""


def several() -> bool:
    """Whether the run has more than one process."""
    # Asked first, for it does not touch the devices, which another process may need.
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that writes and shows: number 0, or the only one."""
    return not several() or jax.process_index() == 0


def gather_numbers(numbers: list[int]) -> np.ndarray:
    """The whole numbers of all processes, int32 (processes, numbers); each gives as many."""
    return np.asarray(multihost_utils.process_allgather(np.asarray(numbers, np.int32)))


def gather(value: Any) -> list[Any]:
    """The values of all processes in their order, each anything that JSON can hold."""
    if not several():
        return [value]
    message = json.dumps(value).encode()
    lengths = gather_numbers([len(message)])[:, 0]
    padded = np.zeros(-(-int(lengths.max()) // CHUNK) * CHUNK, np.uint8)
    padded[: len(message)] = np.frombuffer(message, np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(padded))
    return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]


def together(action: Callable[[], Value]) -> Value:
    """Calls ``action`` at every process, and returns what it returns.

    Raises:
      UserError: of this process; or of another, with its number. All raise or none.
    """
    if not several():
        return action()
    result, failure = None, None
    try:
        result = action()
    except UserError as error:
        failure = error
    said = gather(None if failure is None else str(failure))
    if failure is not None:
        raise failure
    for process, sentence in enumerate(said):
        if sentence is not None:
            raise UserError(sentence if process == 0 else f"process {process}: {sentence}")
    return result  # pyright: ignore[reportReturnType]


def by_first(action: Callable[[], Value]) -> Value:
    """Calls ``action`` at the first process alone; every process returns what it returned.

    Args:
      action: returns what JSON can hold, where there are several processes.

    Raises:
      UserError: of the first process, at all of them.
    """
    if not several():
        return action()
    return gather(together(lambda: action() if is_first() else None))[0]


def check_same(values: Mapping[str, Any], sentence: str) -> None:
    """Checks that every process has the same values.

    Args:
      values: by name, each anything that JSON can hold.
      sentence: of the error; ``{process}``, ``{name}``, ``{other}`` and ``{first}`` stand for the
        number of a process that differs, what differs, its value, and that of process 0.

    Raises:
      UserError: a process has others than process 0; all raise it.
    """
    if not several():
        return
    said = gather(dict(values))
    first = said[0]
    for process, other in enumerate(said):
        for name in sorted(first.keys() | other.keys()):
            if first.get(name) != other.get(name):
                found = {"other": other.get(name), "first": first.get(name)}
                raise UserError(sentence.format(process=process, name=name, **found))
