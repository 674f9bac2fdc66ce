"""What every optimizer can do beside its own formula."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nnjax.errors import UserError
from nnjax.optimizers import SGD, Adam, Group
from nnjax.schedules import Cosine, Linear, Step

PARAMS = {
    "hidden1": {"kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "bias": jnp.array([0.1, -0.2])},
    "norm": {"scale": jnp.array([1.0, 2.0])},
}
GRADIENTS = {
    "hidden1": {"kernel": jnp.array([[3.0, 0.0], [0.0, 4.0]]), "bias": jnp.array([0.0, 12.0])},
    "norm": {"scale": jnp.array([0.0, 0.0])},
}


def run(optimizer, gradients, params=PARAMS):
    """The parameters after each of some gradients, and the last state."""
    transformation = optimizer.build(params)
    state, visited = transformation.init(params), []
    for gradient in gradients:
        update, state = transformation.update(gradient, state, params)
        params = optax.apply_updates(params, update)
        visited.append(params)
    return visited, state


def assert_trees_close(left, right, **tolerance):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for ours, theirs in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 1e-6, "atol": 1e-7} | tolerance)


def moved(scale):
    return jax.tree.map(lambda w, g: w - scale * g, PARAMS, GRADIENTS)


def test_clip_norm_scales_the_whole_gradient():
    # The norm of 3, 4 and 12 is 13.
    (after,), _ = run(SGD(learning_rate=1.0, clip_norm=1.3), [GRADIENTS])
    assert_trees_close(after, moved(0.1))
    (after,), _ = run(SGD(learning_rate=1.0, clip_norm=20.0), [GRADIENTS])
    assert_trees_close(after, moved(1.0))


def test_clip_value_comes_first():
    (after,), _ = run(SGD(learning_rate=1.0, clip_value=2.0, clip_norm=1.0), [GRADIENTS])
    clipped = 2 / np.sqrt(12)
    np.testing.assert_allclose(
        after["hidden1"]["kernel"], [[1 - clipped, -2], [0.5, 3 - clipped]], rtol=1e-6
    )
    np.testing.assert_allclose(after["hidden1"]["bias"], [0.1, -0.2 - clipped], rtol=1e-6)


def test_weight_decay_pulls_weights_alone_and_is_decoupled():
    zero = jax.tree.map(jnp.zeros_like, GRADIENTS)
    for optimizer in (
        SGD(learning_rate=0.5, weight_decay=0.2),
        Adam(learning_rate=0.5, weight_decay=0.2),
    ):
        (after,), _ = run(optimizer, [zero])
        np.testing.assert_allclose(
            after["hidden1"]["kernel"], 0.9 * PARAMS["hidden1"]["kernel"], rtol=1e-6
        )
        assert_trees_close(after["hidden1"]["bias"], PARAMS["hidden1"]["bias"])
        assert_trees_close(after["norm"], PARAMS["norm"])


def test_the_schedule_multiplies_the_learning_rate_and_counts_updates():
    schedule = Linear(steps=2, end_factor=0.0)
    visited, _ = run(SGD(learning_rate=0.1, schedule=schedule), [GRADIENTS] * 3)
    assert_trees_close(visited[0], moved(0.1))
    assert_trees_close(visited[1], moved(0.15))
    assert_trees_close(visited[2], moved(0.15))


def test_accumulated_gradients_are_averaged():
    optimizer = SGD(learning_rate=0.1, accumulation_steps=2)
    triple = jax.tree.map(lambda g: 3 * g, GRADIENTS)
    visited, _ = run(optimizer, [GRADIENTS, triple, GRADIENTS])
    assert_trees_close(visited[0], PARAMS)
    assert_trees_close(visited[1], moved(0.2))
    assert_trees_close(visited[2], visited[1])


def test_the_schedule_of_accumulated_updates_counts_updates():
    optimizer = SGD(learning_rate=0.1, accumulation_steps=2, schedule=Step(boundaries=(0.5,)))
    optimizer = optimizer.for_run(4)
    assert optimizer.schedule.steps == 2
    visited, _ = run(optimizer, [GRADIENTS] * 4)
    assert_trees_close(visited[-1], moved(0.11))


def test_batches_of_unequal_counts_are_summed_and_divided_once():
    """A sum over 8 examples and one over 2 make the mean over 10, the penalty added once."""
    optimizer = SGD(learning_rate=0.1, accumulation_steps=2).build(PARAMS)
    state = optimizer.init(PARAMS)
    eight, two = (jax.tree.map(lambda g, n=n: n * g, GRADIENTS) for n in (8, -2))
    updates, state = optimizer.update(eight, state, PARAMS, count=8)
    assert_trees_close(updates, jax.tree.map(jnp.zeros_like, PARAMS))
    updates, after = optimizer.update(two, state, PARAMS, count=2, penalty=lambda params: params)
    expected = jax.tree.map(lambda g, w: -0.1 * (0.6 * g + w), GRADIENTS, PARAMS)
    assert_trees_close(updates, expected)
    summed, _ = optimizer.update(two, state, PARAMS, count=2, mean=False)
    assert_trees_close(summed, jax.tree.map(lambda g: -0.1 * 6 * g, GRADIENTS))
    # Of the next two nothing counts: the gradient is 0, not 0 / 0.
    for _ in range(2):
        updates, after = optimizer.update(GRADIENTS, after, PARAMS, count=0)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(updates))


def test_the_last_batches_of_a_run_make_an_update_though_they_are_fewer():
    optimizer = SGD(learning_rate=0.1, accumulation_steps=2).for_run(5)
    assert optimizer.schedule.steps == 3
    visited, _ = run(optimizer, [GRADIENTS] * 6)
    moves = [0, 1, 1, 2, 3, 3]
    for params, count in zip(visited, moves, strict=True):
        assert_trees_close(params, moved(0.1 * count), rtol=1e-5)
    shorter = SGD(learning_rate=0.1, accumulation_steps=4).for_run(3)
    visited, _ = run(shorter, [GRADIENTS] * 3)
    assert_trees_close(visited[-1], moved(0.1))


def test_for_run_leaves_a_length_of_its_own():
    assert SGD(schedule=Cosine(steps=3)).for_run(100) == SGD(schedule=Cosine(steps=3))
    assert SGD(schedule=Cosine()).for_run(100) == SGD(schedule=Cosine(steps=100))


def test_the_average_weighs_recent_parameters_more():
    optimizer = SGD(learning_rate=0.1, ema_decay=0.5)
    visited, state = run(optimizer, [GRADIENTS] * 3)
    expected = jax.tree.map(lambda a, b, c: (0.25 * a + 0.5 * b + c) / 1.75, *visited)
    assert_trees_close(optimizer.evaluation_params(visited[-1], state), expected, rtol=1e-5)


def test_without_an_average_the_parameters_are_evaluated():
    assert SGD().evaluation_params(PARAMS, ()) is PARAMS


def test_before_the_first_update_the_average_is_the_initial_parameters():
    optimizer = Adam(ema_decay=0.9, groups=(Group("norm/*", frozen=True), Group("*")))
    state = optimizer.build(PARAMS).init(PARAMS)
    assert_trees_close(optimizer.evaluation_params(None, state), PARAMS)


def test_the_average_counts_updates_not_accumulated_batches():
    optimizer = SGD(learning_rate=0.1, ema_decay=0.5, accumulation_steps=2)
    visited, state = run(optimizer, [GRADIENTS] * 2)
    assert_trees_close(optimizer.evaluation_params(None, state), visited[-1])


def test_what_is_not_asked_for_is_not_in_the_program():
    def program(optimizer, gradients, params):
        transformation = optimizer.build(params)
        return transformation.update(gradients, transformation.init(params), params)[0]

    text = jax.jit(program, static_argnums=0).lower(SGD(), GRADIENTS, PARAMS).as_text()
    assert text.count("stablehlo.multiply") == 3  # the learning rate, once an array
    assert "stablehlo.add" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": -0.1}, "the learning rate must be at least 0, not -0.1"),
        ({"learning_rate": float("nan")}, "the learning rate must be at least 0, not nan"),
        ({"weight_decay": -1.0}, "the weight decay must be at least 0, not -1.0"),
        ({"clip_norm": 0.0}, "the clip norm must be above 0, not 0.0"),
        ({"clip_value": -1.0}, "the clip value must be above 0, not -1.0"),
        ({"accumulation_steps": 0}, "accumulation steps must be at least 1, not 0"),
        ({"ema_decay": 1.0}, "the EMA decay must be below 1, not 1.0"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        SGD(**options)
