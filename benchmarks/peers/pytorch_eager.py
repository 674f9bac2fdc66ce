"""Eager PyTorch, written for speed.

The data is in memory as float32, one indexing operation makes a batch, convolutions run
channels-last, gradients are set to None instead of zeroed, and an epoch reads nothing back from the
device. With CUDA, data and model are on the GPU.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.workloads import CLASSES, LEARNING_RATE, SIDE, Digits, Workload, scaled


class Torch:
    """Trains with batches indexed from tensors in memory.

    Args:
      wrap: maps ``(inputs, targets) -> loss`` to the function that is called: ``torch.compile``.
    """

    def __init__(
        self,
        workload: Workload,
        digits: Digits,
        weights,
        wrap: Callable[[Callable], Callable] = lambda loss: loss,
    ):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._flat = not workload.convolutions
        self._batch_size = workload.batch_size
        model = make_model(workload, weights).to(memory_format=torch.channels_last)  # pyright: ignore
        self._model = model.to(self._device)
        self._images = self._inputs(digits.train_images)
        self._labels = torch.from_numpy(digits.train_labels.astype(np.int64)).to(self._device)
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=LEARNING_RATE)
        criterion = nn.CrossEntropyLoss()
        self._loss = wrap(lambda inputs, targets: criterion(self._model(inputs), targets))

    def _inputs(self, images: np.ndarray) -> torch.Tensor:
        shape = (-1, SIDE * SIDE) if self._flat else (-1, 1, SIDE, SIDE)
        inputs = torch.from_numpy(scaled(images)).reshape(shape).to(self._device)
        return inputs if self._flat else inputs.contiguous(memory_format=torch.channels_last)

    def epoch(self, order: np.ndarray) -> None:
        """Trains for an epoch."""
        for batch in torch.from_numpy(order).to(self._device).split(self._batch_size):
            loss = self._loss(self._images[batch], self._labels[batch])
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the outputs (n, 10)."""
        return self._model(self._inputs(images)).cpu().numpy()


def make_model(workload: Workload, weights) -> nn.Sequential:
    """The workload's model with the given weights."""
    layers: list[nn.Module] = []
    channels, side = 1, SIDE
    for size, features in workload.convolutions:
        layers += [nn.Conv2d(channels, features, size), nn.ReLU(), nn.MaxPool2d(2)]
        channels, side = features, (side - size + 1) // 2
    layers += [nn.Flatten()] * bool(layers)
    layers += [nn.Linear(side * side * channels, workload.hidden), nn.Tanh()]
    layers += [nn.Linear(workload.hidden, CLASSES)]
    with_weights = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer, (kernel, bias) in zip(with_weights, weights, strict=True):
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        else:
            if len(kernel) == side * side * channels:
                # PyTorch flattens an image as channels, height, width.
                kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
            kernel = kernel.reshape(-1, kernel.shape[-1]).T
        layer.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(kernel)))
        layer.bias = nn.Parameter(torch.from_numpy(bias))
    return nn.Sequential(*layers)


build = Torch
