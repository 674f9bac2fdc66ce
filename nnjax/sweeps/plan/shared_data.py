"""The data of a sweep, loaded once for all trials that share it."""

import json
from typing import Any

from nnjax.runs import config_json
from nnjax.training.experiment import Experiment


class SharedData:
    """Loads the data of experiments; keeps the data that it loaded last."""

    def __init__(self):
        self._last: tuple[str, Any] | None = None

    def __call__(self, experiment: Experiment) -> Any:
        """The data of an experiment: a ``Dataset`` or a ``Stream``."""
        source = json.dumps(config_json.to_json(experiment.data), sort_keys=True)
        if self._last is None or self._last[0] != source:
            self._last = (source, experiment.data.load())
        return self._last[1]
