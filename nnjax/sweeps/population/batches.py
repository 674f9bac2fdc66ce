"""The training batches of a group: which examples each update takes in each slot."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nnjax.data.dataset import Batch, Dataset
from nnjax.training import order
from nnjax.training.blocks import Rows
from nnjax.training.options import Training

ROWS_BYTES = 2**26
"""Memory of the rows of indices that are sent to the device at a time."""

MOST_UPDATES = 1000
"""Largest number of updates whose rows are sent at a time."""


class Order(NamedTuple):
    """The order of the examples for one trial.

    Attributes:
      seed: equal for trials that see the same batches.
      rows: ``rows(step, count)`` gives the indices of the next batches, int32 (count, batch).
    """

    seed: int
    rows: Rows


class GroupBatches:
    """The training examples, and which of them each update takes.

    Attributes:
      has_order: whether the examples are shuffled; False where each update takes all of them.
      arrays: the examples of the training split.
    """

    def __init__(self, data: Dataset, training: Training):
        """Takes the training split.

        Args:
          data: in memory.
          training: the options of all trials, but for their seeds.
        """
        self._data = data
        self.has_order = training.batch_size != 0
        arrays = jax.tree.map(np.asarray, dict(data.split("train")))
        examples = data.size("train")
        if not self.has_order:
            arrays = dict(data.take(arrays, order.whole(examples)))
        self.arrays = arrays
        self._ragged = self.has_order and order.is_ragged(examples, training.batch_size)

    def order(self, training: Training) -> Order | None:
        """The order of the examples for a trial; None where each update takes all of them."""
        seed = training.seed if training.data_seed is None else training.data_seed
        return Order(seed, Rows(self._data, training, 1)) if self.has_order else None

    def rows(self, orders: Sequence[Order | None], steps: Sequence[int]) -> np.ndarray | None:
        """The indices of the examples of the next updates.

        Args:
          orders: of each slot; None where the slot is empty.
          steps: updates made in each slot.

        Returns:
          int32 (updates, slots, batch), or (updates, batch) where all slots take the same batches;
          None where each update takes all examples.
        """
        if not self.has_order:
            return None
        filled = [(o, step) for o, step in zip(orders, steps, strict=True) if o is not None]
        first, first_step = filled[0]
        is_shared = len({(order.seed, step) for order, step in filled}) == 1
        slots = 1 if is_shared else len(orders)
        count = min(MOST_UPDATES, max(1, ROWS_BYTES // (4 * slots * first.rows.width)))
        if is_shared:
            return first.rows(first_step, count)
        # An empty slot takes the batches of another; its results are not used.
        of_slots = [
            (first, first_step) if order is None else (order, step)
            for order, step in zip(orders, steps, strict=True)
        ]
        return np.stack([order.rows(step, count) for order, step in of_slots], axis=1)

    def take(self, examples: Any, index: Any) -> Batch:
        """One batch; pure.

        Args:
          examples: ``arrays``, on the device.
          index: the indices of its examples, int32 (batch,).
        """
        if not self.has_order:
            return examples
        return order.take(self._data, examples, index, ragged=self._ragged)
