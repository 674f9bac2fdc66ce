"""The optimizers, by the names used in the field.

Formulas are in terms of the gradient g; m and v are running averages that start at 0. Defaults are
those of the paper unless the docstring names another source; where PyTorch and Keras differ, the
docstring says which of them is followed.
"""

import dataclasses
from collections.abc import Callable

import optax

from nnjax.optimizers.optimizer import Optimizer
from nnjax.traced import is_plain


@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """Gradient descent: d = g, or with momentum m <- momentum m + g, d = m.

    Stochastic on batches, plain gradient descent on the full batch. As in PyTorch, the learning
    rate multiplies m; in Keras it multiplies g inside m, which is the same as long as the learning
    rate is constant.

    Attributes:
      momentum: fraction of the last direction that is added (Polyak 1964).
      nesterov: d = g + momentum m instead (Nesterov 1983; Sutskever et al. 2013).

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.optimizers import SGD, build
      >>> optimizer = SGD(learning_rate=0.1, momentum=0.9)
      >>> weights = {"w": jnp.ones(2)}
      >>> update = build(optimizer, weights)
      >>> step, _ = update.update({"w": jnp.array([0.0, 1.0])}, update.init(weights), weights)
      >>> bool(step["w"][1] < 0)
      True
    """

    learning_rate: float | Callable = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def direction(self) -> optax.GradientTransformation:
        """The gradient, or its trace."""
        if is_plain(self.momentum, 0):
            return optax.identity()
        return optax.trace(self.momentum, self.nesterov)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Momentum(SGD):
    """Gradient descent with momentum 0.9.

    Example:
      >>> from nnjax.optimizers import Momentum
      >>> Momentum(learning_rate=0.1).momentum
      0.9
    """

    momentum: float = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nesterov(Momentum):
    """Gradient descent with Nesterov's momentum 0.9.

    Example:
      >>> from nnjax.optimizers import Nesterov
      >>> Nesterov(learning_rate=0.1).nesterov
      True
    """

    nesterov: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class RMSprop(Optimizer):
    """v <- decay v + (1 - decay) g^2, d = g / (sqrt(v) + epsilon) (Tieleman and Hinton 2012).

    The default ``decay`` is that of the paper and of Keras; PyTorch's is 0.99. ``epsilon`` is added
    outside the root, as in PyTorch; Keras adds it inside.

    Attributes:
      decay: decay of the average of squares.
      epsilon: keeps the quotient finite.
      momentum: momentum of d, as in SGD.

    Example:
      >>> from nnjax.optimizers import RMSprop
      >>> RMSprop(learning_rate=0.01, decay=0.99).decay
      0.99
    """

    learning_rate: float | Callable = 0.001
    decay: float = 0.9
    epsilon: float = 1e-8
    momentum: float = 0.0

    def direction(self) -> optax.GradientTransformation:
        """The gradient over its root mean square."""
        scaled = optax.scale_by_rms(self.decay, self.epsilon, eps_in_sqrt=False)
        if is_plain(self.momentum, 0):
            return scaled
        return optax.chain(scaled, optax.trace(self.momentum))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adagrad(Optimizer):
    """v <- v + g^2, d = g / sqrt(v + epsilon) (Duchi et al. 2011).

    As in Keras; PyTorch starts v at 0 and adds ``epsilon`` outside the root.

    Attributes:
      initial_accumulator: v before the first update.
      epsilon: keeps the quotient finite.

    Example:
      >>> from nnjax.optimizers import Adagrad
      >>> Adagrad(learning_rate=0.1).initial_accumulator
      0.1
    """

    learning_rate: float | Callable = 0.01
    initial_accumulator: float = 0.1
    epsilon: float = 1e-7

    def direction(self) -> optax.GradientTransformation:
        """The gradient over the root of the sum of squares."""
        return optax.scale_by_rss(self.initial_accumulator, self.epsilon)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adadelta(Optimizer):
    """d = g RMS(d) / RMS(g), each the root of a running mean square plus epsilon (Zeiler 2012).

    Defaults are PyTorch's; Keras's are a learning rate of 0.001, 0.95 and 1e-7.

    Attributes:
      decay: decay of both averages of squares.
      epsilon: added to both averages.

    Example:
      >>> from nnjax.optimizers import Adadelta
      >>> Adadelta(decay=0.95).decay
      0.95
    """

    learning_rate: float | Callable = 1.0
    decay: float = 0.9
    epsilon: float = 1e-6

    def direction(self) -> optax.GradientTransformation:
        """The gradient, in the units of the parameters."""
        return optax.scale_by_adadelta(self.decay, self.epsilon)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """d = m^ / (sqrt(v^) + epsilon) (Kingma and Ba 2015).

    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, m^ = m / (1 - b1^t), v^ = v / (1 - b2^t).
    ``epsilon`` is used as in the paper and in PyTorch; Keras adds 1e-7 to the root of v before its
    correction. With a ``weight_decay`` this is AdamW.

    Attributes:
      b1: decay of the average of gradients.
      b2: decay of the average of squares.
      epsilon: keeps the quotient finite.

    Example:
      >>> import jax.numpy as jnp
      >>> from nnjax.optimizers import Adam, build
      >>> optimizer = Adam(learning_rate=0.01)
      >>> weights = {"w": jnp.ones(2)}
      >>> update = build(optimizer, weights)
      >>> step, _ = update.update({"w": jnp.array([0.0, 1.0])}, update.init(weights), weights)
      >>> bool(step["w"][1] < 0)
      True
    """

    learning_rate: float | Callable = 0.001
    b1: float = 0.9
    b2: float = 0.999
    epsilon: float = 1e-8

    def direction(self) -> optax.GradientTransformation:
        """The first moment over the root of the second."""
        return optax.scale_by_adam(self.b1, self.b2, self.epsilon)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), by default PyTorch's 0.01.

    Example:
      >>> from nnjax.optimizers import AdamW
      >>> AdamW(learning_rate=0.01).weight_decay
      0.01
    """

    weight_decay: float = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nadam(Adam):
    """Adam with Nesterov's momentum (Dozat 2016), at a constant b1.

    PyTorch and Keras instead raise b1 over the first updates.

    Example:
      >>> from nnjax.optimizers import Nadam
      >>> Nadam(learning_rate=0.01).b1
      0.9
    """

    def direction(self) -> optax.GradientTransformation:
        """Adam's direction, one step of the first moment ahead."""
        return optax.scale_by_adam(self.b1, self.b2, self.epsilon, nesterov=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adamax(Adam):
    """d = m^ / u, u <- max(b2 u, |g| + epsilon): Adam in the infinity norm (Kingma and Ba 2015).

    Learning rate and ``epsilon`` are PyTorch's.

    Example:
      >>> from nnjax.optimizers import Adamax
      >>> Adamax(learning_rate=0.01).b2
      0.999
    """

    learning_rate: float | Callable = 0.002

    def direction(self) -> optax.GradientTransformation:
        """The first moment over the largest recent gradient."""
        return optax.scale_by_adamax(self.b1, self.b2, self.epsilon)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RAdam(Adam):
    """Adam that leaves its denominator out until the variance of it is tractable (Liu et al. 2020).

    Example:
      >>> from nnjax.optimizers import RAdam
      >>> RAdam(learning_rate=0.01).b1
      0.9
    """

    def direction(self) -> optax.GradientTransformation:
        """Adam's direction, rectified."""
        return optax.scale_by_radam(self.b1, self.b2, self.epsilon)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lamb(Adam):
    """Adam's direction, each array scaled to the norm of its weights (You et al. 2020).

    The weight decay is added before the scaling.

    Example:
      >>> from nnjax.optimizers import Lamb
      >>> Lamb(learning_rate=0.01).epsilon
      1e-06
    """

    epsilon: float = 1e-6

    def rescaling(self) -> optax.GradientTransformation:
        """The trust ratio |w| / |d|."""
        return optax.scale_by_trust_ratio()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lion(Optimizer):
    """d = sign(b1 m + (1 - b1) g), then m <- b2 m + (1 - b2) g (Chen et al. 2023).

    It needs a learning rate three to ten times smaller than Adam's, and a larger weight decay.

    Attributes:
      b1: weight of m in the direction.
      b2: decay of m.

    Example:
      >>> from nnjax.optimizers import Lion
      >>> Lion(learning_rate=0.001).b2
      0.99
    """

    learning_rate: float | Callable = 1e-4
    b1: float = 0.9
    b2: float = 0.99

    def direction(self) -> optax.GradientTransformation:
        """The sign of the momentum."""
        return optax.scale_by_lion(self.b1, self.b2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromOptax(Optimizer):
    """An optimizer of Optax with the options of the optimizers here.

    Its learning rate may be traced and swept, scheduled and scaled by groups of parameters.

    Attributes:
      factory: function of ``learning_rate`` that makes a transformation of Optax, such as
        ``optax.adabelief`` or ``functools.partial(optax.adafactor, momentum=0.9)``; its update must
        be proportional to the learning rate.

    Example:
      >>> import optax
      >>> from nnjax.optimizers import FromOptax
      >>> FromOptax(factory=optax.adabelief, learning_rate=0.01).learning_rate
      0.01
    """

    factory: Callable = optax.sgd
    learning_rate: float | Callable = 0.01

    def direction(self) -> optax.GradientTransformation:
        """Minus the update of the factory's transformation at a learning rate of 1."""
        return optax.chain(self.factory(learning_rate=1.0), optax.scale(-1.0))


NAMES: dict[str, type[Optimizer]] = {
    "gradient_descent": SGD,
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": Nadam,
    "adamax": Adamax,
    "radam": RAdam,
    "lamb": Lamb,
    "lion": Lion,
}
"""The optimizers by the names used in the field."""
