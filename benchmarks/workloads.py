"""Workloads: models that every peer trains from the same weights on the same batches."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Name = Literal["mlp_128", "mlp_20", "cnn1", "cnn2"]

CONFIGS = Path(__file__).parent / "configs"
SIDE = 28
CLASSES = 10
LEARNING_RATE = 0.01
"""Learning rate of plain SGD in every workload."""


@dataclass(frozen=True)
class Workload:
    """A classifier of digits, trained by SGD on a cross-entropy.

    Blocks of (valid convolution, relu, 2x2 max pooling), a dense layer with tanh, a dense layer.

    Attributes:
      name: its name, and that of its config in ``benchmarks/configs``.
      batch_size: examples an update; the last batch of an epoch may be smaller.
      convolutions: (kernel size, number of kernels) of each block.
      hidden: width of the dense layer with tanh.
      train_epochs: epochs of a timed ``nnjax train`` process.
    """

    name: Name
    batch_size: int
    convolutions: tuple[tuple[int, int], ...]
    hidden: int
    train_epochs: int

    @property
    def config_file(self) -> Path:
        """The path of the same workload as a config of nnjax."""
        return CONFIGS / f"{self.name}.py"

    def experiment(self) -> Any:
        """Loads the experiment that the config file defines."""
        from nnjax.cli import files

        return files.load(self.config_file).config


WORKLOADS: dict[Name, Workload] = {
    workload.name: workload
    for workload in (
        Workload("mlp_128", 128, (), 30, train_epochs=30),
        Workload("mlp_20", 20, (), 30, train_epochs=15),
        Workload("cnn1", 128, ((5, 20),), 100, train_epochs=5),
        Workload("cnn2", 128, ((5, 20), (3, 40)), 100, train_epochs=5),
    )
}


@dataclass(frozen=True)
class Digits:
    """Images (n, 28, 28, 1) uint8 and labels (n,) int32, to train on and to test on."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_digits(workload: Workload, images: int | None = None) -> Digits:
    """Reads the MNIST of the workload's config; ``images`` limits the training images."""
    source = workload.experiment().data
    data = dataclasses.replace(source, train=images or source.train).load()
    train, test = data.split("train"), data.split("test")
    return Digits(train["inputs"], train["targets"], test["inputs"], test["targets"])


def scaled(images: np.ndarray) -> np.ndarray:
    """Returns the pixels scaled to [0, 1], float32."""
    return images.astype(np.float32) * np.float32(1 / 255)


def epoch_order(workload: Workload, examples: int, epoch: int) -> np.ndarray:
    """Returns the order of an epoch, int64 (examples,), which is the one that nnjax draws."""
    from nnjax.data import order

    del workload
    return order.epoch_order(examples, seed=0, epoch=epoch).astype(np.int64)


def initial_weights(workload: Workload, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draws (kernel, bias) of every layer, float32, uniform after Glorot and Bengio (2010).

    Kernels are (height, width, inputs, outputs) or (inputs, outputs); the first dense layer reads
    its inputs in the order height, width, channels.
    """
    generator = np.random.default_rng(seed)
    weights = []
    for shape in _kernel_shapes(workload):
        area = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (area * (shape[-2] + shape[-1])))
        kernel = generator.uniform(-limit, limit, shape).astype(np.float32)
        weights.append((kernel, np.zeros(shape[-1], np.float32)))
    return weights


def _kernel_shapes(workload: Workload) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    side, channels = SIDE, 1
    for size, features in workload.convolutions:
        shapes.append((size, size, channels, features))
        side, channels = (side - size + 1) // 2, features
    return [*shapes, (side * side * channels, workload.hidden), (workload.hidden, CLASSES)]


def place_by_shape(params: Any, weights: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """Returns a tree of JAX parameters with the given weights, matched by their shapes.

    The names in the tree do not matter, and a layer may store its kernel transposed: in a workload
    no two arrays have the same shape, and no kernel has the transposed shape of another.
    """
    import jax

    arrays = [array for layer in weights for array in layer]
    arrays += [kernel.T for kernel, _ in weights if kernel.ndim == 2]
    by_shape = {array.shape: array for array in arrays}
    assert len(by_shape) == len(arrays)
    return jax.tree.map(lambda leaf: by_shape[leaf.shape], params)
