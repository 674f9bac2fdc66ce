"""Collectives: the values that the processes of one run exchange, and the decisions they share.

With a single process each function is a plain call, at no cost. With several processes every
process must call the function, in the same order, because it waits for all of them.
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
"""Messages are padded to a multiple of so many bytes, because each size compiles a program."""


def several() -> bool:
    """Whether the run has more than one process."""
    # `is_initialized` does not initialise the backend; `process_count` would, and would claim the
    # devices, which another process may need.
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that writes and prints: rank 0, or the only process."""
    return not several() or jax.process_index() == 0


def gather_numbers(numbers: list[int]) -> np.ndarray:
    """Gathers whole numbers, equally many of each process, as int32 (processes, numbers)."""
    return np.asarray(multihost_utils.process_allgather(np.asarray(numbers, np.int32)))


def gather(value: Any) -> list[Any]:
    """Gathers a value of each process, anything that JSON can hold, in the order of the ranks."""
    if not several():
        return [value]
    message = json.dumps(value).encode()
    lengths = gather_numbers([len(message)])[:, 0]
    padded = np.zeros(-(-int(lengths.max()) // CHUNK) * CHUNK, np.uint8)
    padded[: len(message)] = np.frombuffer(message, np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(padded))
    return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]


def together(action: Callable[[], Value]) -> Value:
    """Calls ``action`` in every process, and returns its result.

    Raises:
      UserError: the action raised one in this process, or in another, whose rank the message then
        names. Either all processes raise or none.
    """
    if not several():
        return action()
    result, failure = None, None
    try:
        result = action()
    except UserError as error:
        failure = error
    messages = gather(None if failure is None else str(failure))
    if failure is not None:
        raise failure
    for process, message in enumerate(messages):
        if message is not None:
            raise UserError(message if process == 0 else f"process {process}: {message}")
    return result  # pyright: ignore[reportReturnType]


def by_first(action: Callable[[], Value]) -> Value:
    """Calls ``action`` in rank 0 only; every process returns its result.

    Args:
      action: returns a value that JSON can hold, where there are several processes.

    Raises:
      UserError: the action raised one in rank 0; all processes raise it.
    """
    if not several():
        return action()
    return gather(together(lambda: action() if is_first() else None))[0]


def check_same(values: Mapping[str, Any], sentence: str) -> None:
    """Checks that every process has the same values.

    Args:
      values: by name, each anything that JSON can hold.
      sentence: the message of the error; ``{process}``, ``{name}``, ``{other}`` and ``{first}``
        stand for the rank of a process that differs, the name of the value, the value there, and
        the value of process 0.

    Raises:
      UserError: a process has other values than process 0; all processes raise it.
    """
    if not several():
        return
    gathered = gather(dict(values))
    first = gathered[0]
    for process, other in enumerate(gathered):
        for name in sorted(first.keys() | other.keys()):
            if first.get(name) != other.get(name):
                found = {"other": other.get(name), "first": first.get(name)}
                raise UserError(sentence.format(process=process, name=name, **found))
