"""Optimizers: ten updates of PyTorch's and Keras's, from the same gradients.

Where the three put epsilon in different places, it is made too small to matter.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lamb,
    Lion,
    Momentum,
    Nesterov,
    RAdam,
    RMSprop,
)

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

UPDATES = 10
GENERATOR = np.random.default_rng(0)
START = {
    "kernel": GENERATOR.normal(size=(4, 3)).astype(np.float32),
    "bias": GENERATOR.normal(size=3).astype(np.float32),
}
GRADIENTS = [
    {name: GENERATOR.normal(size=w.shape).astype(np.float32) for name, w in START.items()}
    for _ in range(UPDATES)
]


def train_ours(optimizer, gradients=GRADIENTS):
    transformation = optimizer.build(START)
    params = jax.tree.map(jnp.asarray, START)
    state, update = transformation.init(params), jax.jit(transformation.update)
    for gradient in gradients:
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params


def train_torch(make, clip=None):
    params = {name: torch.nn.Parameter(torch.tensor(w.copy())) for name, w in START.items()}
    optimizer = make(params)
    for gradient in GRADIENTS:
        for name, param in params.items():
            param.grad = torch.tensor(gradient[name].copy())
        if clip:
            torch.nn.utils.clip_grad_norm_(params.values(), clip)
        optimizer.step()
    return {name: param.detach().numpy() for name, param in params.items()}


def train_keras(optimizer, *, decay_weights=False):
    params = [keras.Variable(w, name=name) for name, w in START.items()]
    if decay_weights:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    for gradient in GRADIENTS:
        optimizer.apply([jnp.asarray(gradient[name]) for name in START], params)
    return {name: np.asarray(param.value) for name, param in zip(START, params, strict=True)}


def assert_same(ours, theirs):
    for name in START:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-5, atol=2e-6)
        assert not np.allclose(ours[name], START[name], atol=1e-4)


def every(kind, **options):
    return lambda params: kind(params.values(), **options)


TORCH = {
    "sgd": (SGD(learning_rate=0.1), every(torch.optim.SGD, lr=0.1)),
    "momentum": (
        Momentum(learning_rate=0.1),
        every(torch.optim.SGD, lr=0.1, momentum=0.9),
    ),
    "nesterov": (
        Nesterov(learning_rate=0.1),
        every(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    ),
    "rmsprop": (
        RMSprop(learning_rate=0.01, decay=0.99),
        every(torch.optim.RMSprop, lr=0.01, alpha=0.99),
    ),
    "rmsprop with momentum": (
        RMSprop(learning_rate=0.01, decay=0.99, momentum=0.5),
        every(torch.optim.RMSprop, lr=0.01, alpha=0.99, momentum=0.5),
    ),
    "adagrad": (
        Adagrad(learning_rate=0.1, epsilon=1e-12),
        every(torch.optim.Adagrad, lr=0.1, initial_accumulator_value=0.1, eps=1e-12),
    ),
    "adadelta": (Adadelta(), every(torch.optim.Adadelta)),
    "adam": (Adam(learning_rate=0.01), every(torch.optim.Adam, lr=0.01)),
    "adamw": (
        AdamW(learning_rate=0.01, weight_decay=0.1),
        lambda params: torch.optim.AdamW(
            [{"params": [params["kernel"]]}, {"params": [params["bias"]], "weight_decay": 0.0}],
            lr=0.01,
            weight_decay=0.1,
        ),
    ),
    "adamax": (Adamax(), every(torch.optim.Adamax)),
    # At b2 = 0.999 the rectification is a small difference of large numbers, which Optax takes in
    # float32 and PyTorch in float64.
    "radam": (
        RAdam(learning_rate=0.01, b2=0.95),
        every(torch.optim.RAdam, lr=0.01, betas=(0.9, 0.95)),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_updates_are_torchs(name):
    ours, theirs = TORCH[name]
    assert_same(train_ours(ours), train_torch(theirs))


def test_clipping_is_torchs():
    ours = train_ours(Momentum(learning_rate=0.1, clip_norm=0.7))
    assert_same(ours, train_torch(every(torch.optim.SGD, lr=0.1, momentum=0.9), clip=0.7))


def test_accumulated_batches_are_torchs_summed_backward_passes():
    theirs = train_torch(every(torch.optim.Adam, lr=0.01))
    halves = [
        jax.tree.map(lambda g, sign=sign: g + sign, gradient)
        for gradient in GRADIENTS
        for sign in (0.5, -0.5)
    ]
    assert_same(train_ours(Adam(learning_rate=0.01, accumulation_steps=2), halves), theirs)


KERAS = {
    "sgd": (SGD(learning_rate=0.1), lambda: keras.optimizers.SGD(0.1)),
    "momentum": (Momentum(learning_rate=0.1), lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
    "nesterov": (
        Nesterov(learning_rate=0.1),
        lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    ),
    "rmsprop": (
        RMSprop(learning_rate=0.01, epsilon=1e-12),
        lambda: keras.optimizers.RMSprop(0.01, epsilon=1e-12),
    ),
    "adagrad": (Adagrad(learning_rate=0.1), lambda: keras.optimizers.Adagrad(0.1)),
    "adadelta": (
        Adadelta(decay=0.95, epsilon=1e-7),
        lambda: keras.optimizers.Adadelta(1.0, epsilon=1e-7),
    ),
    "adam": (
        Adam(learning_rate=0.01, epsilon=1e-12),
        lambda: keras.optimizers.Adam(0.01, epsilon=1e-12),
    ),
    "adamax": (
        Adamax(epsilon=1e-12),
        lambda: keras.optimizers.Adamax(0.002, epsilon=1e-12),
    ),
    "lion": (Lion(learning_rate=0.01), lambda: keras.optimizers.Lion(0.01)),
    "lamb": (
        Lamb(learning_rate=0.01, epsilon=1e-12),
        lambda: keras.optimizers.Lamb(0.01, epsilon=1e-12),
    ),
}


@pytest.mark.parametrize("name", KERAS)
def test_updates_are_kerass(name):
    ours, theirs = KERAS[name]
    assert_same(train_ours(ours), train_keras(theirs()))


def test_decoupled_weight_decay_is_kerass():
    theirs = keras.optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-12)
    ours = train_ours(AdamW(learning_rate=0.01, weight_decay=0.1, epsilon=1e-12))
    assert_same(ours, train_keras(theirs, decay_weights=True))
