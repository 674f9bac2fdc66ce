"""Second-order solvers for the full batch: a solver gets the function itself, not only gradients.

A solver is a frozen dataclass with two pure functions, ``init(objective, params)`` and
``step(objective, params, state)``. Its state is a tuple of arrays, so that a loop can carry it and
a checkpoint can hold it; ``step`` rebuilds the parts of Optimistix's state that are no arrays.

The objective must be the same function of the parameters at every step, the loss of the same
examples without dropout: the solvers compare its values between steps.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from nnjax import parameters
from nnjax.errors import UserError
from nnjax.traced import check_number

# Optimistix and Lineax are imported where they are used: importing them takes as long as JAX.
if TYPE_CHECKING:
    import optimistix

Objective = Callable[[Any], jax.Array]
"""A function of the parameters: the loss (), or the vector of residuals where a solver says so."""

SolverState = tuple[jax.Array, ...]

STEP_SIZES = (1e-8, 1e8)
"""The smallest and the largest 1 / lambda of a damped step; float32 cannot resolve steps beyond."""

HESSIAN_COLUMNS = 64
"""Columns of a Hessian computed at once."""

JACOBIAN_ENTRIES = 2**28
"""The largest Jacobian of Levenberg-Marquardt: 1 GiB in float32."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Solver:
    """How parameters approach the minimum of an objective.

    Example:
      >>> from nnjax.solvers import LBFGS, Solver
      >>> isinstance(LBFGS(), Solver), LBFGS().least_squares
      (True, False)
    """

    least_squares: ClassVar[bool] = False
    """Whether the objective is the vector of residuals r, the loss being 1/2 sum r^2."""

    def init(self, objective: Objective, params: Any) -> SolverState:
        """The state before the first step; the objective's values do not matter.

        Raises:
          UserError: the model is too large for the matrices of the solver.
        """
        raise NotImplementedError

    def step(
        self, objective: Objective, params: Any, state: SolverState
    ) -> tuple[Any, SolverState]:
        """One iteration: the parameters after it, and the state."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class _QuasiNewton(Solver):
    """A minimiser of Optimistix with backtracking line search.

    A step evaluates one trial point, and either moves there or halves the distance to the next
    trial point: the loss never rises, but may stay the same. The first step only evaluates the
    start.
    """

    def minimiser(self) -> "optimistix.AbstractMinimiser":
        """The solver of Optimistix; its tolerances are 0, as the training loop decides the end."""
        raise NotImplementedError

    def init(self, objective: Objective, params: Any) -> SolverState:
        """The state before the first step."""
        import equinox

        vector, _ = ravel_pytree(params)
        arrays = equinox.filter(self._initial(vector), equinox.is_array)
        # Copies: some leaves are the parameters, and JAX donates a buffer only once.
        return tuple(jnp.copy(leaf) for leaf in jax.tree.leaves(arrays))

    def step(
        self, objective: Objective, params: Any, state: SolverState
    ) -> tuple[Any, SolverState]:
        """One trial point."""
        import equinox

        vector, unravel = ravel_pytree(params)
        arrays, rest = equinox.partition(self._initial(vector), equinox.is_array)
        whole = equinox.combine(jax.tree.unflatten(jax.tree.structure(arrays), state), rest)
        vector, whole, _ = self.minimiser().step(
            lambda x, _: (objective(unravel(x)), None), vector, None, {}, whole, frozenset()
        )
        arrays = equinox.filter(whole, equinox.is_array)
        return unravel(vector), tuple(jax.tree.leaves(arrays))

    def _initial(self, vector: jax.Array) -> Any:
        value = jax.ShapeDtypeStruct((), vector.dtype)
        return self.minimiser().init(_unused, vector, None, {}, value, None, frozenset())


@dataclasses.dataclass(frozen=True, kw_only=True)
class BFGS(_QuasiNewton):
    """Broyden, Fletcher, Goldfarb and Shanno (1970): an estimate of the inverse Hessian.

    Attributes:
      max_parameters: refuse a larger model; P parameters take several matrices of P^2 numbers.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.solvers import BFGS
      >>> def loss(params):
      ...     return jnp.sum(jnp.square(params["w"] - 1.0))
      >>> solver, params = BFGS(), {"w": jnp.zeros(2)}
      >>> state = solver.init(loss, params)
      >>> for _ in range(4):
      ...     params, state = solver.step(loss, params, state)
      >>> bool(loss(params) < 2.0)
      True
    """

    max_parameters: int = 5_000

    def minimiser(self) -> "optimistix.AbstractMinimiser":
        """Optimistix's BFGS."""
        import optimistix

        return optimistix.BFGS(rtol=0.0, atol=0.0)

    def init(self, objective: Objective, params: Any) -> SolverState:
        """The state before the first step: the inverse Hessian is the identity."""
        _refuse_above(self.max_parameters, params)
        return super().init(objective, params)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DFP(BFGS):
    """Davidon, Fletcher and Powell (1963): the older formula for the inverse Hessian.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.solvers import DFP
      >>> def loss(params):
      ...     return jnp.sum(jnp.square(params["w"] - 1.0))
      >>> solver, params = DFP(), {"w": jnp.zeros(2)}
      >>> state = solver.init(loss, params)
      >>> for _ in range(4):
      ...     params, state = solver.step(loss, params, state)
      >>> bool(loss(params) < 2.0)
      True
    """

    def minimiser(self) -> "optimistix.AbstractMinimiser":
        """Optimistix's DFP."""
        import optimistix

        return optimistix.DFP(rtol=0.0, atol=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NonlinearCG(_QuasiNewton):
    """Nonlinear conjugate gradients with the formula of Polak and Ribiere (1969), restarted.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.solvers import NonlinearCG
      >>> def loss(params):
      ...     return jnp.sum(jnp.square(params["w"] - 1.0))
      >>> solver, params = NonlinearCG(), {"w": jnp.zeros(2)}
      >>> state = solver.init(loss, params)
      >>> for _ in range(4):
      ...     params, state = solver.step(loss, params, state)
      >>> bool(loss(params) < 2.0)
      True
    """

    def minimiser(self) -> "optimistix.AbstractMinimiser":
        """Optimistix's NonlinearCG."""
        import optimistix

        return optimistix.NonlinearCG(rtol=0.0, atol=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LBFGS(Solver):
    """Limited-memory BFGS (Liu and Nocedal 1989), for models of any size.

    It is Optax's, for its zoom line search (Nocedal and Wright 2006, algorithm 3.5): a step is a
    whole line search of up to 20 evaluations, which keeps the curvature estimate positive definite.

    Attributes:
      memory: number of past steps in the estimate of the Hessian.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.solvers import LBFGS
      >>> def loss(params):
      ...     return jnp.sum(jnp.square(params["w"] - 1.0))
      >>> solver, params = LBFGS(), {"w": jnp.zeros(2)}
      >>> state = solver.init(loss, params)
      >>> for _ in range(4):
      ...     params, state = solver.step(loss, params, state)
      >>> bool(loss(params) < 2.0)
      True
    """

    memory: int = 10

    def __post_init__(self):
        check_number("memory of LBFGS", self.memory, at_least=1)

    def init(self, objective: Objective, params: Any) -> SolverState:
        """The state before the first step."""
        state = optax.lbfgs(memory_size=self.memory).init(params)
        return tuple(jnp.copy(leaf) for leaf in jax.tree.leaves(state))

    def step(
        self, objective: Objective, params: Any, state: SolverState
    ) -> tuple[Any, SolverState]:
        """One line search."""
        solver = optax.lbfgs(memory_size=self.memory)
        whole = jax.tree.unflatten(jax.tree.structure(solver.init(params)), state)
        value, gradient = optax.value_and_grad_from_state(objective)(params, state=whole)
        updates, whole = solver.update(
            gradient, whole, params, value=value, grad=gradient, value_fn=objective
        )
        return optax.apply_updates(params, updates), tuple(jax.tree.leaves(whole))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Damped(Solver):
    """Steps -(H + lambda I)^-1 g with an adaptive lambda.

    Lambda falls where the quadratic model predicted the last decrease of the loss well, else rises.
    A step that does not lower the loss is rejected, and lambda quadruples: the loss never rises.

    Attributes:
      damping: lambda of the first step.
      max_parameters: refuse a larger model; P parameters take several matrices of P^2 numbers.
    """

    damping: float = 1e-3
    max_parameters: int = 5_000

    def __post_init__(self):
        check_number("damping", self.damping, above=0)

    def init(self, objective: Objective, params: Any) -> SolverState:
        """The state before the first step: 1 / lambda."""
        _refuse_above(self.max_parameters, params)
        return (1 / jnp.asarray(self.damping, jnp.float32),)

    def step(
        self, objective: Objective, params: Any, state: SolverState
    ) -> tuple[Any, SolverState]:
        """One linear system, one trial point."""
        import optimistix

        start, unravel = ravel_pytree(params)
        here, there = self.models(lambda x: objective(unravel(x)), start)
        descent = optimistix.DampedNewtonDescent(self.linear_solver())
        search = optimistix.ClassicalTrustRegion()

        following = descent.query(start, here, descent.init(start, here))
        difference, _ = descent.step(state[0], following)
        trial = start + difference
        searching = dataclasses.replace(search.init(start, here), step_size=state[0])
        step_size, accept, _, _ = search.step(
            jnp.array(False), start, trial, here, there(trial), searching
        )
        end = jnp.where(accept, trial, start)
        return unravel(end), (jnp.clip(step_size, *STEP_SIZES),)

    def models(self, objective: Objective, start: jax.Array) -> tuple[Any, Callable]:
        """The quadratic model of the objective at ``start``, and its value at a trial point."""
        raise NotImplementedError

    def linear_solver(self) -> Any:
        """For the damped system."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Newton(_Damped):
    """Newton's method on the exact Hessian, damped, with its eigenvalues in absolute value.

    Near a minimum this is Newton's step. Elsewhere the absolute values turn the step away from
    maxima and saddles, which attract the plain method (saddle-free Newton, Dauphin et al. 2014). A
    step costs P gradients and an eigendecomposition of P^3 operations: for small nets.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.solvers import Newton
      >>> def loss(params):
      ...     return jnp.sum(jnp.square(params["w"] - 1.0))
      >>> solver, params = Newton(), {"w": jnp.zeros(2)}
      >>> params, _ = solver.step(loss, params, solver.init(loss, params))
      >>> params["w"].round(2).tolist()
      [1.0, 1.0]
    """

    def models(self, objective: Objective, start: jax.Array) -> tuple[Any, Callable]:
        """Value, gradient and Hessian."""
        import lineax
        from optimistix import FunctionInfo

        value, gradient = jax.value_and_grad(objective)(start)
        eigenvalues, vectors = jnp.linalg.eigh(_hessian(objective, start))
        positive = (vectors * jnp.abs(eigenvalues)) @ vectors.T
        operator = lineax.MatrixLinearOperator(positive, lineax.positive_semidefinite_tag)
        here = FunctionInfo.EvalGradHessian(value, gradient, operator)
        return here, lambda trial: FunctionInfo.Eval(objective(trial))

    def linear_solver(self) -> Any:
        """Cholesky's decomposition."""
        import lineax

        return lineax.Cholesky()


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt(_Damped):
    """Levenberg (1944) and Marquardt (1963): H is J^T J, J the Jacobian of the residuals.

    For squared costs only. N examples of K outputs make a Jacobian of N K by P numbers.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.solvers import LevenbergMarquardt
      >>> def residuals(params):
      ...     return params["w"] - jnp.array([1.0, 2.0])
      >>> solver, params = LevenbergMarquardt(), {"w": jnp.zeros(2)}
      >>> params, _ = solver.step(residuals, params, solver.init(residuals, params))
      >>> params["w"].round(2).tolist()
      [1.0, 2.0]
    """

    least_squares: ClassVar[bool] = True

    def init(self, objective: Objective, params: Any) -> SolverState:
        """The state before the first step: 1 / lambda."""
        residuals = math.prod(jax.eval_shape(objective, params).shape)
        size = parameters.count(params)
        if (residuals + size) * size > JACOBIAN_ENTRIES:
            raise UserError(
                f"{residuals:,} residuals and {size:,} parameters make a Jacobian too large for "
                "Levenberg-Marquardt; take fewer examples, or LBFGS"
            )
        return super().init(objective, params)

    def models(self, objective: Objective, start: jax.Array) -> tuple[Any, Callable]:
        """Residuals and Jacobian."""
        import lineax
        from optimistix import FunctionInfo

        residuals, jacobian = jax.linearize(objective, start)
        operator = lineax.FunctionLinearOperator(jacobian, jax.eval_shape(lambda: start))
        here = FunctionInfo.ResidualJac(residuals, operator)
        return here, lambda trial: FunctionInfo.Residual(objective(trial))

    def linear_solver(self) -> Any:
        """QR of the Jacobian over sqrt(lambda) I: J^T J would square its condition number."""
        import lineax

        return lineax.QR()


NAMES: dict[str, type[Solver]] = {
    "newton": Newton,
    "bfgs": BFGS,
    "dfp": DFP,
    "lbfgs": LBFGS,
    "nonlinear_cg": NonlinearCG,
    "levenberg_marquardt": LevenbergMarquardt,
}
"""The solvers by the names used in the field."""


def _unused(x: jax.Array, _: None) -> tuple[jax.Array, None]:
    """A stand-in where Optimistix takes a function and uses only its shapes."""
    return x, None


def _hessian(objective: Objective, start: jax.Array) -> jax.Array:
    """The Hessian (P, P), computed a few columns at a time to limit the memory of activations."""
    _, product = jax.linearize(jax.grad(objective), start)
    return jax.lax.map(product, jnp.eye(start.size), batch_size=HESSIAN_COLUMNS)


def _refuse_above(limit: int, params: Any) -> None:
    size = parameters.count(params)
    if size > limit:
        raise UserError(
            f"{size:,} parameters are too many for the matrices of this solver, which "
            f"takes {limit:,}; use LBFGS or NonlinearCG, or raise max_parameters"
        )
