"""Batches of a stream on the devices: each process reads the rows of its own devices."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh

from nnjax.data.dataset import Batch, pad
from nnjax.distributed import collectives, devices


class ShareReader:
    """An iterator of batches that are split over the devices of a mesh.

    Where there are several processes and the stream's method takes ``rows``, each process reads
    only its own rows of a batch. Of other streams each process reads whole batches, and drops the
    rows of the other processes.
    """

    def __init__(self, read: Callable, *arguments: Any, rows: int, mesh: Mesh):
        """Opens the stream.

        Args:
          read: ``train_batches`` or ``batches`` of a stream.
          *arguments: the arguments of ``read``.
          rows: of a batch on the devices, a multiple of their number; a shorter batch is padded.
          mesh: the devices.
        """
        self._rows, self._mesh = rows, mesh
        self._own = devices.own_rows(rows, mesh)
        self._in_part = collectives.several() and "rows" in inspect.signature(read).parameters
        self._batches = read(*arguments, **({"rows": self._own} if self._in_part else {}))

    def __iter__(self) -> "ShareReader":
        return self

    def __next__(self) -> Batch:
        batch = dict(next(self._batches))
        if not self._in_part:
            batch = jax.tree.map(lambda array: array[self._own], pad(batch, self._rows))
        return devices.put_share(batch, self._mesh)

    def get_state(self) -> dict[str, Any]:
        """Returns the position, as JSON can hold it; it is the same in every process."""
        return self._batches.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to a position that ``get_state`` returned."""
        self._batches.set_state(state)
