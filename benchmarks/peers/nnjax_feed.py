"""nnjax: the feed and the updates that ``nnjax train`` runs."""

import dataclasses

import jax
import numpy as np

from benchmarks.workloads import Digits, Workload, place_by_shape
from nnjax.data.dataset import Dataset
from nnjax.distributed import devices
from nnjax.training import snapshot
from nnjax.training.experiment import fit_to_data
from nnjax.training.feeds import make_feed


class Nnjax:
    """Trains with one call of a feed an epoch.

    It also computes the loss and accuracy of every batch, as in a run; the other peers do not.
    """

    def __init__(self, workload: Workload, digits: Digits, weights):
        experiment = workload.experiment()
        training = dataclasses.replace(experiment.training, seed=0, devices=1)
        train = {"inputs": digits.train_images, "targets": digits.train_labels}
        self._data = Dataset({"train": train}, tuple("0123456789"), experiment.data.preprocess)
        devices.use_threads(training.threads)
        mesh = devices.make_mesh(training.devices)
        learner = fit_to_data(experiment.learner, self._data, training)
        self._feed = make_feed(learner, self._data, training, mesh)
        carry = snapshot.initial_carry(learner, self._data, training, mesh)
        params = place_by_shape(carry.state.params, weights)
        params = jax.device_put(params, devices.replicated(mesh))
        state = dataclasses.replace(carry.state, params=params)
        self._carry = dataclasses.replace(carry, state=state)
        self._outputs = jax.jit(
            lambda state, images: learner.outputs(
                state, self._data.prepare({"inputs": images})["inputs"]
            )
        )
        self._step = 0

    def epoch(self, order: np.ndarray) -> None:
        """Trains for an epoch in the order that the feed draws, which equals ``order``."""
        del order
        if self._step == 0:
            self._feed.compile(self._carry)
        count = self._feed.steps_per_epoch
        self._carry = self._feed.run(self._carry, self._step, count)
        self._step += count
        jax.block_until_ready(self._carry)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the outputs (n, 10)."""
        return np.asarray(self._outputs(self._carry.state, images))


build = Nnjax
