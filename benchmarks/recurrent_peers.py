"""Recurrent language models in nnjax and its peers, each trained in the library's usual way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["lstm", "gru"]
Name = Literal["lstm", "gru", "recipes", "bidirectional"]
PeerName = Literal["nnjax", "torch", "flax", "keras"]
Step = Callable[[int], float]
"""Trains a number of updates on one batch and returns the loss before the last of them."""


@dataclass(frozen=True)
class Workload:
    """A recurrent network from one-hot words to a softmax over words, trained by Adam.

    Attributes:
      kind: the kind of cell.
      layers: number of layers.
      features: width of the state.
      vocabulary: number of words.
      batch: sequences of an update.
      time: steps of a sequence.
      bidirectional: whether to run in both directions and concatenate the outputs.
      lengths: whether sequence lengths are spaced evenly from an eighth of ``time`` to all of it.
      last: whether only the last step's output is used, to predict one word.
    """

    kind: Kind = "lstm"
    layers: int = 1
    features: int = 256
    vocabulary: int = 65
    batch: int = 64
    time: int = 128
    bidirectional: bool = False
    lengths: bool = False
    last: bool = False


WORKLOADS: dict[Name, Workload] = {
    "lstm": Workload(layers=2),
    "gru": Workload(kind="gru", layers=2),
    "recipes": Workload(vocabulary=3000, batch=128, time=50, last=True),
    "bidirectional": Workload(bidirectional=True, lengths=True, last=True),
}


def batch_of(workload: Workload) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns words (batch, time), targets (batch, time) or (batch,), and lengths (batch,)."""
    generator = np.random.default_rng(0)
    words = generator.integers(0, workload.vocabulary, (workload.batch, workload.time + 1))
    lengths = np.full(workload.batch, workload.time)
    if workload.lengths:
        lengths = np.linspace(workload.time // 8, workload.time, workload.batch).astype(int)
    targets = words[:, -1] if workload.last else words[:, 1:]
    return words[:, :-1].astype(np.int32), targets.astype(np.int32), lengths.astype(np.int32)


def nnjax(workload: Workload) -> Step:
    """nnjax: words as ids, updates in one compiled loop."""
    import jax.numpy as jnp

    recurrent = _module(workload)
    words, targets, lengths = map(jnp.asarray, batch_of(workload))
    params = {"recurrent": _start(workload), "output": _output(workload)}

    def outputs(params):
        ends = lengths if workload.lengths else None
        y, _ = recurrent.apply({"params": params["recurrent"]}, words, ends)
        return y @ params["output"]

    return _jax_step(params, outputs, targets)


def flax(workload: Workload) -> Step:
    """``flax.linen.RNN`` with its fastest cells: words one-hot, updates in one compiled loop."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    class Network(nn.Module):
        @nn.compact
        def __call__(self, words, lengths):
            x: Any = jax.nn.one_hot(words, workload.vocabulary)
            cell = nn.OptimizedLSTMCell if workload.kind == "lstm" else nn.GRUCell
            ends = lengths if workload.lengths else None
            for _ in range(workload.layers):
                forward = nn.RNN(cell(workload.features))
                if not workload.bidirectional:
                    x = forward(x, seq_lengths=ends)
                    continue
                backward = nn.RNN(cell(workload.features))
                x = nn.Bidirectional(forward, backward)(x, seq_lengths=ends)
            if workload.last:
                x = x[jnp.arange(len(x)), lengths - 1]
            return x

    words, targets, lengths = map(jnp.asarray, batch_of(workload))
    network = Network()
    start = network.init(jax.random.key(0), words, lengths)
    params = {"recurrent": start, "output": _output(workload)}
    return _jax_step(
        params, lambda p: network.apply(p["recurrent"], words, lengths) @ p["output"], targets
    )


def torch(workload: Workload) -> Step:
    """``torch.nn.LSTM`` or ``GRU``, eager, with packed sequences if there are lengths."""
    import torch as library

    from nnjax.interchange import to_torch

    layer = library.nn.LSTM if workload.kind == "lstm" else library.nn.GRU
    words, targets, lengths = (library.tensor(array).long() for array in batch_of(workload))
    network = layer(
        workload.vocabulary,
        workload.features,
        workload.layers,
        batch_first=True,
        bidirectional=workload.bidirectional,
    )
    state = to_torch(_module(workload), _start(workload))
    network.load_state_dict({name: library.tensor(weight) for name, weight in state.items()})
    output = library.nn.Parameter(library.tensor(_output(workload)))
    optimizer = library.optim.Adam([*network.parameters(), output], 1e-3)
    one_hot = library.eye(workload.vocabulary)

    def loss():
        x = library.nn.functional.embedding(words, one_hot)
        if workload.lengths:
            x = library.nn.utils.rnn.pack_padded_sequence(
                x, lengths, batch_first=True, enforce_sorted=False
            )
        y, final = network(x)
        if workload.last:
            h = final[0] if workload.kind == "lstm" else final
            ways = 2 if workload.bidirectional else 1
            y = library.cat(list(h[-ways:]), dim=-1)
        return library.nn.functional.cross_entropy(
            (y @ output).reshape(-1, workload.vocabulary), targets.reshape(-1)
        )

    def step(updates: int) -> float:
        value = library.zeros(())
        for _ in range(updates):
            optimizer.zero_grad()
            value = loss()
            value.backward()
            optimizer.step()
        return value.item()

    return step


def keras(workload: Workload) -> Step:
    """Keras 3 on JAX, ``train_on_batch`` on one-hot words, as in the lecture on the recipes."""
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import keras as library

    layer = library.layers.LSTM if workload.kind == "lstm" else library.layers.GRU
    words, targets, lengths = batch_of(workload)
    one_hot = np.eye(workload.vocabulary, dtype=np.float32)[words]
    layers: list[Any] = [library.layers.Input((workload.time, workload.vocabulary))]
    if workload.lengths:
        one_hot[np.arange(workload.time) >= lengths[:, None]] = 0
        layers.append(library.layers.Masking())
    for index in range(workload.layers):
        sequences = index < workload.layers - 1 or not workload.last
        one = layer(workload.features, return_sequences=sequences)
        layers.append(library.layers.Bidirectional(one) if workload.bidirectional else one)
    layers.append(library.layers.Dense(workload.vocabulary))
    network = library.Sequential(layers)
    network.compile(
        library.optimizers.Adam(1e-3),
        library.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def step(updates: int) -> float:
        value = 0.0
        for _ in range(updates):
            value = network.train_on_batch(one_hot, targets)
        return float(np.asarray(value))

    return step


PEERS: dict[PeerName, Callable[[Workload], Step]] = {
    "nnjax": nnjax,
    "torch": torch,
    "flax": flax,
    "keras": keras,
}


def _jax_step(params: Any, outputs: Callable[[Any], Any], targets: Any) -> Step:
    import functools

    import jax
    import optax

    optimizer = optax.adam(1e-3)

    def loss(params):
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs(params), targets)
        return losses.mean()

    def update(state, _):
        params, optimizer_state = state
        value, gradient = jax.value_and_grad(loss)(params)
        changes, optimizer_state = optimizer.update(gradient, optimizer_state, params)
        return (optax.apply_updates(params, changes), optimizer_state), value

    @functools.partial(jax.jit, static_argnums=1, donate_argnums=0)
    def run(state, updates: int):
        return jax.lax.scan(update, state, length=updates)

    params = jax.tree.map(jax.numpy.array, params)
    state = [(params, optimizer.init(params))]

    def step(updates: int) -> float:
        state[0], values = run(state[0], updates)
        return float(values[-1])

    return step


def _module(workload: Workload) -> Any:
    from nnjax.layers.cells import GRUCell, LSTMCell
    from nnjax.layers.recurrence.recurrent import Recurrent

    cell = LSTMCell if workload.kind == "lstm" else GRUCell
    return Recurrent(
        cell(workload.features, bias="double"),
        layers=workload.layers,
        direction="bidirectional" if workload.bidirectional else "forward",
        return_sequences=not workload.last,
        vocabulary=workload.vocabulary,
    )


def _start(workload: Workload) -> Any:
    """The recurrent layers' initial weights, the same for nnjax and PyTorch."""
    import jax

    words = np.zeros((1, 1), np.int32)
    return jax.device_get(_module(workload).init(jax.random.key(0), words)["params"])


def _output(workload: Workload) -> np.ndarray:
    inputs = workload.features * (2 if workload.bidirectional else 1)
    draw = np.random.default_rng(1).normal(0, 0.05, (inputs, workload.vocabulary))
    return draw.astype(np.float32)
