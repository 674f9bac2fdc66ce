"""The optimizers: first steps against the formulas, and each one finds a minimum."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax import optimizers
from nnjax.optimizers import NAMES, SGD, Adadelta, Adagrad, Adam, Lion, Nadam, RMSprop

PARAMS = {"kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "bias": jnp.array([0.1, -0.2])}
GRADIENTS = {"kernel": jnp.array([[0.3, -0.1], [2.0, 0.7]]), "bias": jnp.array([-1.0, 0.4])}


def directions(optimizer, gradients):
    """What the updates are, over minus the learning rate."""
    transformation = optimizer.build(PARAMS)
    state = transformation.init(PARAMS)
    params, found = PARAMS, []
    for gradient in gradients:
        update, state = transformation.update(gradient, state, params)
        params = optax.apply_updates(params, update)
        found.append(jax.tree.map(lambda u: -u / optimizer.learning_rate, update))
    return found


def assert_direction(got, formula, *, rtol=1e-5):
    for name, gradient in GRADIENTS.items():
        np.testing.assert_allclose(got[name], formula(np.asarray(gradient)), rtol=rtol, atol=1e-6)


NOT_NAMED = ("AnyOptimizer", "FromOptax")
"""What a name alone could not make."""


def test_every_class_has_a_name_and_defaults():
    assert set(NAMES.values()) == {
        getattr(optimizers, name)
        for name in optimizers.__all__
        if name[0].isupper() and name not in ("NAMES", "Group", "Optimizer", *NOT_NAMED)
    }
    for kind in NAMES.values():
        assert kind() == kind()


def test_gradient_descent_follows_the_gradient():
    assert_direction(directions(SGD(), [GRADIENTS])[0], lambda g: g)


def test_momentum_and_nesterov():
    second = directions(SGD(momentum=0.9), [GRADIENTS] * 2)[1]
    assert_direction(second, lambda g: 1.9 * g)
    second = directions(SGD(momentum=0.9, nesterov=True), [GRADIENTS] * 2)[1]
    assert_direction(second, lambda g: g + 0.9 * 1.9 * g)


def test_rmsprop():
    second = directions(RMSprop(decay=0.5), [GRADIENTS] * 2)[1]
    assert_direction(second, lambda g: g / np.sqrt(0.75 * g**2))


def test_adagrad():
    second = directions(Adagrad(initial_accumulator=0.1), [GRADIENTS] * 2)[1]
    assert_direction(second, lambda g: g / np.sqrt(0.1 + 2 * g**2))


def test_adadelta():
    first = directions(Adadelta(epsilon=1e-4), [GRADIENTS])[0]
    assert_direction(first, lambda g: g * np.sqrt(1e-4) / np.sqrt(0.1 * g**2 + 1e-4))


def test_adam_begins_with_the_sign():
    assert_direction(directions(Adam(), [GRADIENTS])[0], np.sign, rtol=1e-4)


def test_nadam_is_one_step_of_the_momentum_ahead():
    # Dozat's m^ = b1 m_t / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t), at t = 1.
    m = (0.9 * 0.1) / (1 - 0.9**2) + 0.1 / (1 - 0.9)
    assert_direction(directions(Nadam(), [GRADIENTS])[0], lambda g: m * np.sign(g), rtol=1e-4)


def test_lion_moves_by_signs():
    first, second = directions(Lion(), [GRADIENTS, jax.tree.map(jnp.negative, GRADIENTS)])
    assert_direction(first, np.sign)
    # 0.9 m - 0.1 g with m = 0.01 g.
    assert_direction(second, lambda g: -np.sign(g))


# Of the size of the steps that each is made for.
RATES = {"adadelta": 30.0, "adagrad": 0.5, "lion": 0.01, "lamb": 0.01}


@pytest.mark.parametrize("name", NAMES)
def test_each_one_finds_the_minimum_of_a_bowl(name):
    optimizer = dataclasses.replace(NAMES[name](), learning_rate=RATES.get(name, 0.03))
    target = jax.tree.map(lambda w: w + 1.0, PARAMS)

    def loss(params):
        return sum(jnp.sum(jnp.square(params[name] - target[name])) for name in params)

    @jax.jit
    def train(params):
        transformation = optimizer.build(params)

        def body(carry, _):
            params, state = carry
            update, state = transformation.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, update), state), None

        (params, _), _ = jax.lax.scan(body, (params, transformation.init(params)), length=400)
        return loss(params)

    # AdamW and Lion stop a little short: by the weight decay, by the size of their steps.
    assert float(train(PARAMS)) < 5e-3 * float(loss(PARAMS))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gradient_descent"])
def test_every_number_may_be_traced(name):
    """One program serves a vmapped population, and each member is the optimizer alone."""
    optimizer = NAMES[name]()
    numbers = {
        field.name: getattr(optimizer, field.name)
        for field in dataclasses.fields(optimizer)
        if isinstance(getattr(optimizer, field.name), float)
    }

    def train(values):
        transformation = dataclasses.replace(optimizer, **values).build(PARAMS)
        params, state = PARAMS, transformation.init(PARAMS)
        for _ in range(3):
            update, state = transformation.update(GRADIENTS, state, params)
            params = optax.apply_updates(params, update)
        return params

    population = {field: jnp.array([value, 0.9 * value]) for field, value in numbers.items()}
    together = jax.jit(jax.vmap(train))(population)
    for member, factor in enumerate((1.0, 0.9)):
        alone = train({field: factor * value for field, value in numbers.items()})
        for leaf in PARAMS:
            np.testing.assert_allclose(together[leaf][member], alone[leaf], rtol=1e-4, atol=1e-6)
