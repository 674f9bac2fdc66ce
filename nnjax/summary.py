"""The layer table of a model: output shapes, parameters and FLOPs, from an abstract trace."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from nnjax import calls as calls_of_model
from nnjax.flops import Product, products
from nnjax.layers.images.convolution import Conv
from nnjax.tables import Table

Path = tuple[str, ...]

BATCHES = (2, 3)
"""The two batch sizes to trace with: an axis whose size differs between the traces is the batch."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer of the table.

    Attributes:
      name: the path of the layer, such as "block1/conv1"; the name of the class for the model.
      kind: the class of the layer.
      shape: the shape of the output. The batch axis comes first, as "batch"; images are
        (batch, height, width, channels), whatever their layout in memory.
      parameters: number of trainable parameters; a shared layer has one row, at its first call.
      flops: 2 x multiply-adds of matrix products and convolutions, forward, for one example.
    """

    name: str
    kind: str
    shape: tuple[int | str, ...]
    parameters: int
    flops: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """The layer table of a model.

    Attributes:
      model: the class of the model.
      rows: the layers, in the order of their first call.
    """

    model: str
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Number of trainable parameters of the model."""
        return sum(row.parameters for row in self.rows)

    @property
    def flops(self) -> int:
        """2 x multiply-adds of the forward pass of one example."""
        return sum(row.flops for row in self.rows)

    def render(self) -> Table:
        """Returns the table, with a last line of totals."""
        table = Table(["layer", "kind", "output", "parameters", "FLOPs/example"], left=(0, 1, 2))
        for row in self.rows:
            shape = " x ".join(map(str, row.shape))
            table.add_row(row.name, row.kind, shape, f"{row.parameters:,}", f"{row.flops:,}")
        table.add_row(self.model, "", "", f"{self.parameters:,}", f"{self.flops:,}", style="bold")
        return table


@dataclasses.dataclass
class _Call:
    """The first call of a module.

    Attributes:
      module: the module.
      inputs: shapes of its positional arguments.
      output: shapes of what it returned.
      leaf: whether the module called no other module.
      changes: whether the output is another object than the first argument.
    """

    module: nn.Module
    inputs: Any
    output: Any
    leaf: bool
    changes: bool


def summarise(model: nn.Module, inputs: Any) -> Summary:
    """Returns the layer table of a model in training mode, without computing any array.

    A module has a row if it has no submodules, or has parameters or matrix products itself. A
    module that returns its input unchanged, such as dropout at rate 0, has no row.

    Args:
      model: any Flax module called as ``model(inputs)`` or ``model(inputs, train=...)``.
      inputs: arrays or ``jax.ShapeDtypeStruct`` (batch, ...) of any batch size.
    """
    smaller, larger = (_trace(model, inputs, batch) for batch in BATCHES)
    calls, variables, counted = smaller
    parameters = _parameters(variables.get("params", {}), calls)
    flops = _flops_per_example(counted, larger[2], calls)
    rows = []
    for path, call in calls.items():
        wanted = (call.leaf and call.changes) or parameters[path] or flops[path]
        if not wanted:
            continue
        shape = _shape(call.output, larger[0][path].output)
        if isinstance(call.module, Conv):
            flops[path] = _convolution_flops(call)
        name = "/".join(path) or type(model).__name__
        rows.append(Row(name, _kind(call.module), shape, parameters[path], flops[path]))
    return Summary(type(model).__name__, tuple(rows))


def _trace(model: nn.Module, inputs: Any, batch: int) -> tuple[dict[Path, _Call], Any, list]:
    """The calls by module path, the shapes of the variables, and the forward products."""
    x = jax.tree.map(lambda one: jax.ShapeDtypeStruct((batch, *one.shape[1:]), one.dtype), inputs)
    key = jax.eval_shape(lambda: jax.random.key(0))
    calls_of_model.check_arguments(model)
    train: dict[str, Any] = {"train": True} if calls_of_model.takes_train(model) else {}
    variables = jax.eval_shape(lambda key, x: model.init(key, x, **train), key, x)
    calls: dict[Path, _Call] = {}

    def apply(variables: Any, key: jax.Array, x: jax.Array) -> Any:
        rngs = {"params": key, "dropout": key}
        with nn.intercept_methods(_observer(calls)):
            return model.apply(variables, x, **train, rngs=rngs, mutable=True)

    return calls, variables, products(apply, variables, key, x)


def _observer(calls: dict[Path, _Call]) -> Callable:
    """Returns a Flax interceptor that records the first call of each module."""

    def observe(call: Callable, arguments: tuple, options: dict, context: Any) -> Any:
        if context.method_name != "__call__":
            return call(*arguments, **options)
        before = len(calls)
        path = context.module.path
        first = path not in calls
        if first:
            # Inserted before the call, so that a module precedes its submodules.
            calls[path] = _Call(context.module, None, None, True, True)
        result = call(*arguments, **options)
        if first:
            leaf = len(calls) == before + 1
            changes = not (arguments and result is arguments[0])
            inputs, output = _shapes(arguments), _shapes(result)
            calls[path] = _Call(context.module, inputs, output, leaf, changes)
        return result

    return observe


def _shapes(tree: Any) -> Any:
    """Replaces tracers, which must not outlive the trace, by their shapes."""
    return jax.tree.map(jax.typeof, tree)


def _parameters(params: Any, calls: dict[Path, _Call]) -> dict[Path, int]:
    """Number of parameters of each module: a leaf belongs to the deepest module around it."""
    counts = dict.fromkeys(calls, 0)
    for keys, leaf in jax.tree.leaves_with_path(params):
        path = tuple(str(getattr(key, "key", key)) for key in keys)
        counts[_deepest(path, calls)] += math.prod(leaf.shape)
    return counts


def _deepest(path: Path, calls: dict[Path, _Call]) -> Path:
    while path not in calls:
        path = path[:-1]
    return path


def _flops_per_example(
    smaller: list[Product], larger: list[Product], calls: dict[Path, _Call]
) -> dict[Path, int]:
    """FLOPs of each module for one example: the difference between the two batch sizes."""
    counts = dict.fromkeys(calls, 0)
    for sign, counted in ((-1, smaller), (1, larger)):
        for product in counted:
            counts[_module_of(product.scope, calls)] += sign * product.flops
    return counts


def _module_of(scope: tuple[str, ...], calls: dict[Path, _Call]) -> Path:
    """The module that a name scope lies in. Names in a scope that are no modules are skipped."""
    path: Path = ()
    for name in scope:
        if (*path, name) in calls:
            path = (*path, name)
    return path


def _shape(smaller: Any, larger: Any) -> tuple[int | str, ...]:
    """The shape of the first output, with the batch axis found by comparing both batch sizes."""
    pairs = zip(jax.tree.leaves(smaller)[0].shape, jax.tree.leaves(larger)[0].shape, strict=True)
    shape: list[int | str] = [
        few if few == many else _multiple("batch", (many - few) // (BATCHES[1] - BATCHES[0]))
        for few, many in pairs
    ]
    if len(shape) in (2, 4) and shape[-1] == "batch":
        # The layouts "CN" and "CHWN", used within a network, have the batch axis last.
        shape[0], shape[-1] = shape[-1], shape[0]
    return tuple(shape)


def _multiple(name: str, times: int) -> str:
    return name if times == 1 else f"{times} {name}"


def _kind(module: nn.Module) -> str:
    kind = type(module).__name__
    if isinstance(module, Conv) and module.pool is not None:
        kind += f", max pool {module.pool[0]}x{module.pool[1]}"
    return kind


def _convolution_flops(call: _Call) -> int:
    """FLOPs by formula: the traced products depend on the device, which chooses the algorithm."""
    module, shape = call.module, call.inputs[0].shape
    assert isinstance(module, Conv)
    places = [
        -(-size // step) if module.padding == "SAME" else (size - kernel) // step + 1
        for size, kernel, step in zip(shape[1:3], module.kernel_size, module.strides, strict=True)
    ]
    channels = shape[module.layout.index("C")]
    return 2 * math.prod((*places, *module.kernel_size, channels, module.features))
