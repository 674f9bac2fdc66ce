"""Solvers on the full batch: each one goes down, and as far as its kind should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from nnjax import solvers
from nnjax.errors import UserError
from nnjax.solvers import BFGS, DFP, LBFGS, LevenbergMarquardt, Newton, NonlinearCG

START = {"x": jnp.array([-1.2, 1.0]), "y": jnp.array(0.5)}


def residuals(params):
    """Rosenbrock's valley in a vector of residuals, and a bowl beside it."""
    x, y = params["x"], params["y"]
    return jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0], y - 2])


def valley(params):
    return 0.5 * jnp.sum(jnp.square(residuals(params)))


def run(solver, objective, params, steps):
    @jax.jit
    def program(params):
        def body(carry, _):
            carry = solver.step(objective, *carry)
            return carry, carry[0]

        (params, _), visited = jax.lax.scan(
            body, (params, solver.init(objective, params)), length=steps
        )
        return params, visited

    return program(params)


def objective_of(solver):
    return residuals if solver.least_squares else valley


# Steps, and how far below the start of 13.2: the older formulas creep along the valley.
CASES = [
    (Newton(), 60, 1e-8),
    (BFGS(), 150, 1e-6),
    (DFP(), 400, 0.5),
    (LBFGS(), 60, 1e-8),
    (NonlinearCG(), 400, 0.5),
    (LevenbergMarquardt(), 60, 1e-8),
]


def test_every_solver_is_tried_here():
    assert {type(solver) for solver, _, _ in CASES} == set(solvers.NAMES.values())


@pytest.mark.parametrize(("solver", "steps", "bound"), CASES)
def test_each_one_goes_down_the_valley(solver, steps, bound):
    params, visited = run(solver, objective_of(solver), START, steps)
    losses = np.asarray(jax.vmap(valley)(visited))
    assert losses[-1] < bound
    assert (np.diff(losses) <= 1e-6 * losses[:-1]).all(), "the loss rose"
    assert jax.tree.structure(params) == jax.tree.structure(START)
    assert params["x"].dtype == jnp.float32


@pytest.mark.parametrize(("solver", "steps", "bound"), CASES)
def test_where_a_run_is_cut_changes_nothing(solver, steps, bound):
    """The state is nothing but arrays: a loop carries it, a checkpoint holds it."""
    del steps, bound
    objective = objective_of(solver)
    step = jax.jit(lambda params, state: solver.step(objective, params, state))
    params, state = START, jax.jit(lambda: solver.init(objective, START))()
    assert all(isinstance(leaf, jax.Array) for leaf in state)
    for _ in range(6):
        params, state = step(params, tuple(jnp.asarray(np.asarray(leaf)) for leaf in state))
    expected, _ = run(solver, objective, START, 6)
    for leaf in START:
        np.testing.assert_allclose(params[leaf], expected[leaf], rtol=1e-5, atol=1e-6)


def test_the_minimum_is_scipys():
    generator = np.random.default_rng(0)
    a = generator.normal(size=(30, 4)).astype(np.float32)
    b = generator.normal(size=30).astype(np.float32)

    def loss(x):
        return jnp.sum(jnp.logaddexp(a @ x, 0.0)) - jnp.sum(x) + jnp.sum(jnp.square(a @ x - b))

    def exact(x):
        a64, b64 = a.astype(np.float64), b.astype(np.float64)
        return np.logaddexp(a64 @ x, 0).sum() - x.sum() + np.square(a64 @ x - b64).sum()

    expected = minimize(exact, np.zeros(4), method="BFGS").x
    for solver in (Newton(), BFGS(), LBFGS()):
        found, _ = run(solver, loss, jnp.zeros(4), 60)
        # Half the digits of float32: a line search compares values, flat at the minimum.
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_newton_solves_a_quadratic_in_one_undamped_step():
    hessian = jnp.array([[3.0, 1.0], [1.0, 2.0]])
    gradient = jnp.array([1.0, -2.0])

    def loss(x):
        return 0.5 * x @ hessian @ x + gradient @ x

    found, _ = run(Newton(damping=1e-8), loss, jnp.array([5.0, 5.0]), 1)
    np.testing.assert_allclose(found, -jnp.linalg.solve(hessian, gradient), rtol=1e-4)


def test_newton_leaves_a_saddle():
    found, _ = run(
        Newton(), lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, jnp.array([1.0, 0.01]), 50
    )
    np.testing.assert_allclose(jnp.abs(found), [0.0, np.sqrt(0.5)], atol=1e-3)


def test_levenberg_marquardt_solves_linear_least_squares():
    generator = np.random.default_rng(1)
    a = generator.normal(size=(20, 5)).astype(np.float32)
    b = generator.normal(size=20).astype(np.float32)
    # In 64 bits: how far 32 bits get depends on how the compiler rounds.
    with jax.enable_x64(True):
        a, b = a.astype(np.float64), b.astype(np.float64)
        found, _ = run(LevenbergMarquardt(), lambda x: a @ x - b, jnp.zeros(5), 5)
    np.testing.assert_allclose(found, np.linalg.lstsq(a, b)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", [Newton(), BFGS(), DFP()])
def test_a_model_too_large_for_matrices_is_refused(solver):
    with pytest.raises(UserError, match=r"10,000 parameters are too many.*use LBFGS"):
        solver.init(lambda x: jnp.sum(x), jnp.zeros((100, 100)))


def test_a_jacobian_too_large_is_refused():
    with pytest.raises(UserError, match="1,000,000 residuals and 300 parameters make a Jacobian"):
        LevenbergMarquardt().init(lambda x: jnp.zeros(1_000_000) + x[0], jnp.zeros(300))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Newton(damping=0.0), "the damping must be above 0, not 0.0"),
        (lambda: LBFGS(memory=0), "the memory of LBFGS must be at least 1, not 0"),
    ],
)
def test_values_out_of_range_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
