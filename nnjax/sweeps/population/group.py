"""A group of trials trained together: one compiled program, a lane for each trial.

Everything that changes has a leading axis of lanes; the numbers in which the trials differ are
arguments, one of each lane. A lane computes what its trial would compute alone, to rounding.
"""

from collections.abc import Callable, Mapping, Sequence
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
from nnjax.training import order, updates
from nnjax.training.blocks import Rows
from nnjax.training.evaluation import Evaluator
from nnjax.training.options import Training
from nnjax.training.updates import Carry

ROWS_BYTES = 2**26
"""Memory of the rows of indices that are sent to the device at a time."""

MOST_UPDATES = 1000
"""Updates whose rows are sent at a time, at most."""


class Group:
    """Lanes of trials that differ in numbers only.

    Attributes:
      size: the number of lanes.
    """

    def __init__(
        self,
        lifted: Lifted,
        data: Dataset,
        training: Training,
        mesh: Mesh,
        size: int,
    ):
        """Prepares the lanes; each is empty until ``put`` fills it.

        Args:
          lifted: the learner, with the numbers in which the trials differ as arguments.
          data: in memory.
          training: the options of all trials, but for their seeds.
          mesh: the devices that share the lanes.
          size: the number of lanes, a multiple of that of the devices.
        """
        self.size = size
        self._lifted, self._data = lifted, data
        self._spread = NamedSharding(mesh, devices.split_batch(mesh).spec)
        self._everywhere = devices.replicated(mesh)
        self._batches = _Batches(data, training)
        self._examples = jax.device_put(self._batches.arrays, self._everywhere)
        self._values: dict[str, np.ndarray] = {}
        self._arguments: Any = None
        self._carry: Any = None
        self._best: Any = None
        self._orders: list[Any] = [None] * self.size
        self._steps = [0] * self.size
        self._rows: tuple[Any, int, int] | None = None
        self._programs: dict[bool, Callable] = {}
        self._evaluator = Evaluator(
            _Lanes(lifted, self.size), data, mesh, training.evaluation_batches()
        )
        self._init = jax.jit(lambda values, key: _start(lifted, values, key))
        self._insert = jax.jit(_insert, donate_argnums=0)
        self._keep = jax.jit(_choose)
        self._fresh = jax.jit(lambda carry: jax.tree.map(jnp.zeros_like, carry.totals))

    # Lanes

    def initial(self, values: Numbers, seed: int) -> Carry:
        """What a trial begins with: the same as alone."""
        return self._init(dict(values), jax.random.key(seed))

    def put(self, lane: int, values: Numbers, training: Training, carry: Carry, best: Any) -> None:
        """Puts a trial into a lane.

        Args:
          lane: its number.
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
            self._values[path][lane] = value
        self._arguments = jax.device_put(self._values, self._spread)
        self._carry = self._insert(self._carry, lane, carry)
        self._best = self._insert(self._best, lane, best)
        self._orders[lane] = self._batches.order(training)
        self._steps[lane] = int(carry.state.step)
        self._rows = None

    def clear(self) -> None:
        """Forgets the trials in all lanes, but not the compiled programs."""
        self._orders, self._steps = [None] * self.size, [0] * self.size
        self._rows = None

    def shares_batches(self) -> bool:
        """Whether all trials, if they are at the same step, see the same batches."""
        seeds = {one[0] for one in self._orders if one is not None}
        return self._batches.ordered and len(seeds) == 1

    def lane(self, lane: int) -> tuple[Carry, Any]:
        """What is in a lane: the carry, and the best state."""
        return jax.tree.map(lambda leaf: leaf[lane], (self._carry, self._best))

    # Updates

    def run(self, count: int) -> None:
        """Makes ``count`` updates in every lane; returns when they are made."""
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
        """The rows of the next updates, and which of them come next."""
        if self._rows is None or self._rows[1] == self._rows[2]:
            rows = self._batches.rows(self._orders, self._steps)
            length = updates.NEVER if rows is None else len(rows)
            self._rows = (jax.device_put(rows, self._everywhere), 0, length)
        return self._rows

    def _program(self, rows: Any) -> Callable:
        """The updates of all lanes, from batches of each lane's own or of all."""
        own = rows is not None and rows.ndim == 3
        if own not in self._programs:
            one = _one_update(self._lifted, self._data, self._batches)
            many = jax.vmap(one, in_axes=(0, 0, None, 0 if own else None))
            each = _single(one, own) if self.size == 1 else many
            self._programs[own] = self._loop(each)
        return self._programs[own]

    def _loop(self, update: Callable) -> Callable:
        """Many updates in one program."""

        def take(rows: Any, row: jax.Array) -> Any:
            return None if rows is None else rows[row]

        def run(values, carry, examples, rows, first, stop):
            def body(row, carry):
                return update(values, carry, examples, take(rows, row))

            return jax.lax.fori_loop(first, stop, body, carry)

        return jax.jit(run, donate_argnums=1)

    # Measuring

    def diverged_at(self) -> np.ndarray:
        """int32 (lanes,): the first step whose loss was not finite, or ``updates.NEVER``."""
        return np.asarray(self._carry.diverged_at)

    def totals(self) -> list[dict[str, float]]:
        """The training metrics of each lane since they were last forgotten."""
        return _by_lane(self._carry.totals, self.size)

    def forget_totals(self, lanes: Sequence[int]) -> None:
        """Begins the training metrics of some lanes anew."""
        zeros = self._fresh(self._carry)
        totals = self._keep(self._mask(lanes), zeros, self._carry.totals)
        self._carry = Carry(self._carry.state, totals, self._carry.diverged_at)

    def evaluate(self, split: str, *, best: bool = False) -> list[dict[str, float]]:
        """The metrics of a split for the state of each lane, or for its best."""
        state = self._best if best else self._carry.state
        return _by_lane(self._evaluator.totals((self._arguments, state), split), self.size)

    def keep_best(self, lanes: Sequence[int]) -> None:
        """Keeps the states of some lanes as their best."""
        self._best = self._keep(self._mask(lanes), self._carry.state, self._best)

    def _mask(self, lanes: Sequence[int]) -> jax.Array:
        return jax.device_put(np.isin(np.arange(self.size), lanes), self._spread)


class _Batches:
    """The training examples, and which of them each update takes."""

    def __init__(self, data: Dataset, training: Training):
        self._data = data
        self._whole = training.batch_size == 0
        self.ordered = not self._whole
        arrays = jax.tree.map(np.asarray, dict(data.split("train")))
        examples = data.size("train")
        self.arrays = dict(data.take(arrays, order.whole(examples))) if self._whole else arrays
        self.ragged = not self._whole and order.is_ragged(examples, training.batch_size)

    def order(self, training: Training) -> Any:
        """The order of the examples for a trial: equal for trials that see the same batches."""
        seed = training.seed if training.data_seed is None else training.data_seed
        return None if self._whole else (seed, Rows(self._data, training, 1))

    def rows(self, orders: Sequence[Any], steps: Sequence[int]) -> np.ndarray | None:
        """The rows of the next updates: (updates, lanes, batch), or (updates, batch) of all lanes.

        None where every update takes every example.
        """
        if self._whole:
            return None
        filled = [(o, step) for o, step in zip(orders, steps, strict=True) if o is not None]
        shared = len({(o[0], step) for o, step in filled}) == 1
        lanes = 1 if shared else len(orders)
        count = min(MOST_UPDATES, max(1, ROWS_BYTES // (4 * lanes * filled[0][0][1].width)))
        if shared:
            (_, rows), step = filled[0]
            return rows(step, count)
        # An empty lane goes through the batches of another, for nothing.
        of_lanes = [
            (filled[0] if o is None else (o, step)) for o, step in zip(orders, steps, strict=True)
        ]
        return np.stack([rows(step, count) for (_, rows), step in of_lanes], axis=1)

    def take(self, examples: Any, index: Any) -> Batch:
        """One batch; pure."""
        if self._whole:
            return examples
        return order.take(self._data, examples, index, ragged=self.ragged)


class _Lanes:
    """What the evaluator takes for a learner: all lanes as one."""

    def __init__(self, lifted: Lifted, size: int):
        self._lifted, self._size = lifted, size

    def evaluate(self, state: tuple[Any, Any], batch: Batch) -> dict[str, Mean]:
        """The metrics of each lane, (lanes,) each."""

        def one(values: Any, state: Any) -> dict[str, Mean]:
            return dict(self._lifted.learner(values).evaluate(state, batch))

        if self._size == 1:
            return _add_lane(one(*_drop_lane(state)))
        return jax.vmap(one)(*state)


def _start(lifted: Lifted, values: Numbers, key: jax.Array) -> Carry:
    state = lifted.init(values, key)
    return updates.start(lifted.learner(values), state, lifted.example())


def _one_update(lifted: Lifted, data: Dataset, batches: _Batches) -> Callable:
    """``(values, carry, examples, index) -> carry`` of one lane."""

    def update(values: Numbers, carry: Carry, examples: Any, index: Any) -> Carry:
        batch = batches.take(examples, index)
        return updates.update(lifted.learner(values), data.prepare, carry, batch)

    return update


def _single(update: Callable, own: bool) -> Callable:
    """The update of the only lane there is, without the cost of an axis."""

    def run(values: Numbers, carry: Carry, examples: Any, index: Any) -> Carry:
        index = index[0] if own else index
        return _add_lane(update(_drop_lane(values), _drop_lane(carry), examples, index))

    return run


def _add_lane(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[None], tree)


def _drop_lane(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[0], tree)


def _insert(tree: Any, lane: int, one: Any) -> Any:
    return jax.tree.map(lambda leaf, new: leaf.at[lane].set(new), tree, one)


def _choose(mask: jax.Array, one: Any, other: Any) -> Any:
    """Lane by lane ``one`` where the mask says so, else ``other``."""

    def pick(left: jax.Array, right: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *(1,) * (left.ndim - 1)), left, right)

    return jax.tree.map(pick, one, other)


def _by_lane(totals: Mapping[str, Any], size: int) -> list[dict[str, float]]:
    """Metrics of (lanes,) each as numbers by name, lane by lane."""
    fetched = jax.device_get(dict(totals))

    def one(lane: int) -> dict[str, float]:
        own = jax.tree.map(lambda leaf: leaf[lane], fetched)
        return {name: metric.value() for name, metric in own.items()}

    return [one(lane) for lane in range(size)]


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
