"""Counts the floating-point operations of a function from its trace, without computing it."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax.extend.core import jaxprs_in_params


class Product(NamedTuple):
    """A matrix product or a convolution in a trace.

    Attributes:
      scope: the names of the modules and scopes it stands in, from the outside in.
      flops: 2 x its multiply-adds.
    """

    scope: tuple[str, ...]
    flops: int


def products(function: Callable, *arguments: Any) -> list[Product]:
    """Returns every matrix product and convolution of a call, those of a scan once per iteration.

    As usual in the field, only multiply-adds count, 2 operations each: additions of biases,
    activations and poolings are left out. All branches of a ``cond`` are counted, and one iteration
    of a ``while`` loop, whose length is not known.

    Args:
      function: a pure function.
      *arguments: arrays, or their ``jax.ShapeDtypeStruct``.
    """
    return list(_products(jax.make_jaxpr(function)(*arguments).jaxpr, (), 1))


def count(function: Callable, *arguments: Any) -> int:
    """Returns the number of floating-point operations of all :func:`products` of a call."""
    return sum(product.flops for product in products(function, *arguments))


def _products(jaxpr: Any, scope: tuple[str, ...], times: int) -> Iterator[Product]:
    for equation in jaxpr.eqns:
        inner = (*scope, *filter(None, str(equation.source_info.name_stack).split("/")))
        flops = _flops(equation)
        if flops:
            yield Product(inner, flops * times)
        name = equation.primitive.name
        repeated = times * (equation.params["length"] if name == "scan" else 1)
        for nested in jaxprs_in_params(equation.params):
            yield from _products(nested, inner, repeated)


def _flops(equation: Any) -> int:
    """2 x the multiply-adds of one equation; 0 where it is no product."""
    zeros = 1
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        each = math.prod(shape[axis] for axis in contracted)
    elif equation.primitive.name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        features = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        each = math.prod(kernel) // features
        # Most products of a transposed convolution are with zeros between its inputs.
        zeros = math.prod(equation.params["lhs_dilation"])
    else:
        return 0
    return 2 * each * math.prod(equation.outvars[0].aval.shape) // zeros
