"""Peers: each library trains a workload in its usual way, in one file, imported only if it runs."""

import importlib
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from benchmarks.workloads import Digits, Workload, initial_weights

Name = Literal["nnjax", "torch", "torch_compiled", "keras", "flax"]


class Peer(Protocol):
    """A model being trained."""

    def epoch(self, order: np.ndarray) -> None:
        """Trains on every example once, in the given order; returns when the device is done."""
        ...

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the outputs (n, classes) for images (n, 28, 28, 1) uint8."""
        ...


MODULES: dict[Name, str] = {
    "nnjax": "benchmarks.peers.nnjax_feed",
    "torch": "benchmarks.peers.pytorch_eager",
    "torch_compiled": "benchmarks.peers.pytorch_compiled",
    "keras": "benchmarks.peers.keras_fit",
    "flax": "benchmarks.peers.flax_loop",
}

TITLES: dict[Name, str] = {
    "nnjax": "nnjax",
    "torch": "PyTorch eager",
    "torch_compiled": "PyTorch, `torch.compile`",
    "keras": "Keras on JAX, `fit`",
    "flax": "Flax, a jitted step per batch",
}


def make(name: Name, workload: Workload, digits: Digits) -> Peer:
    """Returns the named peer with the workload's initial weights, before its first update."""
    build: Callable[..., Peer] = importlib.import_module(MODULES[name]).build
    return build(workload, digits, initial_weights(workload))


def measure(peer: Peer, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns the cross-entropy and accuracy of a peer, computed in NumPy for all peers."""
    size = min(1000, len(images))
    parts = [peer.logits(images[first : first + size]) for first in range(0, len(images), size)]
    logits = np.concatenate(parts).astype(np.float64)
    shifted = logits - logits.max(1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return {
        "loss": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        "accuracy": float((logits.argmax(1) == labels).mean()),
    }
