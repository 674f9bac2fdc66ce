"""A group of trials trained at once: one compiled program, with a slot for each trial.

Everything that changes has a leading axis of slots. The numbers in which the trials differ are
arguments of the program, one of each slot. A slot computes what its trial would compute alone, to
float32 rounding.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding

from nnjax.data.dataset import Batch, Dataset
from nnjax.distributed import devices
from nnjax.metrics import Mean
from nnjax.sweeps.plan.tracing import Lifted, Numbers
from nnjax.sweeps.population import slot_axis
from nnjax.sweeps.population.batches import GroupBatches
from nnjax.training import updates
from nnjax.training.evaluation import Evaluator
from nnjax.training.options import Training
from nnjax.training.updates import Carry


class Group:
    """Slots for trials that differ in numbers only.

    Attributes:
      size: the number of slots.
    """

    def __init__(
        self,
        lifted: Lifted,
        data: Dataset,
        training: Training,
        mesh: Mesh,
        size: int,
    ):
        """Prepares the slots; each is empty until ``put`` fills it.

        Args:
          lifted: the learner, with the numbers in which the trials differ as arguments.
          data: in memory.
          training: the options of all trials, but for their seeds.
          mesh: the devices that share the slots.
          size: the number of slots, a multiple of the number of devices.
        """
        self.size = size
        self._lifted, self._data = lifted, data
        self._spread = NamedSharding(mesh, devices.split_batch(mesh).spec)
        self._everywhere = devices.replicated(mesh)
        self._batches = GroupBatches(data, training)
        self._examples = jax.device_put(self._batches.arrays, self._everywhere)
        self._values: dict[str, np.ndarray] = {}
        self._arguments: Any = None
        self._carry: Any = None
        self._best: Any = None
        self._orders: list[Any] = [None] * self.size
        self._steps = [0] * self.size
        self._rows: tuple[Any, int, int] | None = None
        self._programs: dict[bool, Callable] = {}
        learner = _LearnerOfSlots(lifted, self.size)
        self._evaluator = Evaluator(learner, data, mesh, training.evaluation_batches())
        self._init = jax.jit(lambda values, key: _start(lifted, values, key))
        self._insert = jax.jit(slot_axis.insert, donate_argnums=0)
        self._choose = jax.jit(slot_axis.choose)
        self._zeros = jax.jit(lambda carry: jax.tree.map(jnp.zeros_like, carry.totals))

    # Slots

    def initial(self, values: Numbers, seed: int) -> Carry:
        """What a trial begins with: the same as when it trains alone."""
        return self._init(dict(values), jax.random.key(seed))

    def put(self, slot: int, values: Numbers, training: Training, carry: Carry, best: Any) -> None:
        """Puts a trial into a slot.

        Args:
          slot: its index.
          values: the numbers of this trial.
          training: its training options.
          carry: what its next update begins with.
          best: its best state so far; any state where there is none yet.
        """
        if self._carry is None:
            self._values = {path: np.repeat(value, self.size) for path, value in values.items()}
            stacked = partial(jax.tree.map, lambda leaf: jnp.stack([leaf] * self.size))
            self._carry, self._best = jax.device_put((stacked(carry), stacked(best)), self._spread)
        for path, value in values.items():
            self._values[path][slot] = value
        self._arguments = jax.device_put(self._values, self._spread)
        self._carry = self._insert(self._carry, slot, carry)
        self._best = self._insert(self._best, slot, best)
        self._orders[slot] = self._batches.order(training)
        self._steps[slot] = int(carry.state.step)
        self._rows = None

    def clear(self) -> None:
        """Empties all slots; the compiled programs stay."""
        self._orders, self._steps = [None] * self.size, [0] * self.size
        self._rows = None

    def shares_batches(self) -> bool:
        """Whether all trials see the same batches where they are at the same step."""
        seeds = {order.seed for order in self._orders if order is not None}
        return self._batches.has_order and len(seeds) == 1

    def slot(self, slot: int) -> tuple[Carry, Any]:
        """The content of a slot: the carry, and the best state."""
        return jax.tree.map(lambda leaf: leaf[slot], (self._carry, self._best))

    # Updates

    def run(self, count: int) -> None:
        """Makes ``count`` updates in every slot; returns when they are finished."""
        while count > 0:
            rows, first, last = self._next_rows()
            here = min(count, last - first)
            ends = (first, first + here)
            bounds = [jax.device_put(np.int32(row), self._everywhere) for row in ends]
            self._carry = self._program(rows)(
                self._arguments, self._carry, self._examples, rows, *bounds
            )
            self._rows = (rows, first + here, last)
            self._steps = [step + here for step in self._steps]
            count -= here
        jax.block_until_ready(self._carry.diverged_at)

    def _next_rows(self) -> tuple[Any, int, int]:
        """Rows of indices on the device, the number of the next row, and how many there are."""
        if self._rows is None or self._rows[1] == self._rows[2]:
            rows = self._batches.rows(self._orders, self._steps)
            length = updates.NEVER if rows is None else len(rows)
            self._rows = (jax.device_put(rows, self._everywhere), 0, length)
        return self._rows

    def _program(self, rows: Any) -> Callable:
        """The compiled updates of all slots: each with its own batches, or all with the same."""
        has_own_batches = rows is not None and rows.ndim == 3
        if has_own_batches not in self._programs:
            one = _one_update(self._lifted, self._data, self._batches)
            many = jax.vmap(one, in_axes=(0, 0, None, 0 if has_own_batches else None))
            each = _single(one, has_own_batches) if self.size == 1 else many
            self._programs[has_own_batches] = _loop(each)
        return self._programs[has_own_batches]

    # Measuring

    def diverged_at(self) -> np.ndarray:
        """int32 (slots,): the first step whose loss was not finite, or ``updates.NEVER``."""
        return np.asarray(self._carry.diverged_at)

    def totals(self) -> list[dict[str, float]]:
        """The training metrics of each slot since ``forget_totals``."""
        return slot_axis.metrics_of_each(self._carry.totals, self.size)

    def forget_totals(self, slots: Sequence[int]) -> None:
        """Sets the training metrics of some slots back to zero."""
        zeros = self._zeros(self._carry)
        totals = self._choose(self._mask(slots), zeros, self._carry.totals)
        self._carry = Carry(self._carry.state, totals, self._carry.diverged_at)

    def evaluate(self, split: str, *, best: bool = False) -> list[dict[str, float]]:
        """The metrics of a split for the state of each slot, or for its best state."""
        state = self._best if best else self._carry.state
        totals = self._evaluator.totals((self._arguments, state), split)
        return slot_axis.metrics_of_each(totals, self.size)

    def keep_best(self, slots: Sequence[int]) -> None:
        """Keeps the present states of some slots as their best."""
        self._best = self._choose(self._mask(slots), self._carry.state, self._best)

    def _mask(self, slots: Sequence[int]) -> jax.Array:
        return jax.device_put(np.isin(np.arange(self.size), slots), self._spread)


class Groups:
    """The groups of one program, by their size; each is compiled once."""

    def __init__(self, lifted: Lifted, data: Dataset, training: Training, mesh: Mesh):
        """Takes what the groups have in common; see :class:`Group`."""
        self.lifted, self.data, self.training, self.mesh = lifted, data, training, mesh
        self._made: dict[int, Group] = {}

    def at_least(self, size: int) -> Group:
        """An empty group with room for ``size`` trials, and not for twice as many."""
        devices = self.mesh.size
        size = -(-size // devices) * devices
        fitting = [made for made in self._made if size <= made < max(2 * size, size + devices)]
        chosen = min(fitting, default=size)
        if chosen not in self._made:
            self._made[chosen] = Group(self.lifted, self.data, self.training, self.mesh, chosen)
        self._made[chosen].clear()
        return self._made[chosen]


class _LearnerOfSlots:
    """The learner that the evaluator evaluates: all slots at once."""

    def __init__(self, lifted: Lifted, size: int):
        self._lifted, self._size = lifted, size

    def evaluate(self, state: tuple[Any, Any], batch: Batch) -> dict[str, Mean]:
        """The metrics of each slot, (slots,) each."""

        def one(values: Any, state: Any) -> dict[str, Mean]:
            return dict(self._lifted.learner(values).evaluate(state, batch))

        if self._size == 1:
            return slot_axis.add(one(*slot_axis.drop(state)))
        return jax.vmap(one)(*state)


def _start(lifted: Lifted, values: Numbers, key: jax.Array) -> Carry:
    state = lifted.init(values, key)
    return updates.start(lifted.learner(values), state, lifted.example())


def _one_update(lifted: Lifted, data: Dataset, batches: GroupBatches) -> Callable:
    """``(values, carry, examples, index) -> carry`` of one slot."""

    def update(values: Numbers, carry: Carry, examples: Any, index: Any) -> Carry:
        batch = batches.take(examples, index)
        return updates.update(lifted.learner(values), data.prepare, carry, batch)

    return update


def _single(update: Callable, has_own_batches: bool) -> Callable:
    """The update of a group of one slot, without the cost of a mapped axis."""

    def run(values: Numbers, carry: Carry, examples: Any, index: Any) -> Carry:
        index = index[0] if has_own_batches else index
        return slot_axis.add(update(slot_axis.drop(values), slot_axis.drop(carry), examples, index))

    return run


def _loop(update: Callable) -> Callable:
    """Many updates as one compiled program: those of the rows from ``first`` up to ``stop``."""

    def take(rows: Any, row: jax.Array) -> Any:
        return None if rows is None else rows[row]

    def run(values, carry, examples, rows, first, stop):
        def body(row, carry):
            return update(values, carry, examples, take(rows, row))

        return jax.lax.fori_loop(first, stop, body, carry)

    return jax.jit(run, donate_argnums=1)
