"""How much each hyperparameter affects the result: functional ANOVA, by Optuna."""

import warnings
from typing import Any

import optuna

from nnjax.sweeps.record.results import state_of
from nnjax.sweeps.record.study import Study

LEAST_TRIALS = 5
"""The least number of complete trials."""


def importances(study: Study) -> tuple[dict[str, float], str]:
    """The share of the objective's variance that each hyperparameter accounts for.

    A random forest is fitted to the complete trials (Hutter, Hoos and Leyton-Brown 2014, "An
    efficient approach for assessing hyperparameter importance"). Only hyperparameters that all
    complete trials have, and that vary among them, are considered.

    Returns:
      The shares, which sum to 1, the largest first, and an empty text; or an empty dictionary and
      why there are none.
    """
    complete = [trial for trial in study.trials() if state_of(trial) == "complete"]
    if reason := _obstacle(complete):
        return {}, reason
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # A copy in memory, because a running sweep changes its study meanwhile.
        copied = optuna.create_study(direction="maximize" if study.maximizes else "minimize")
        copied.add_trials(complete)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        shares = optuna.importance.get_param_importances(
            copied, evaluator=evaluator, params=_varied(complete)
        )
    return {name: float(share) for name, share in shares.items()}, ""


def _obstacle(complete: list[Any]) -> str:
    """Why there are no importances; empty where there are."""
    if len(complete) < LEAST_TRIALS:
        return f"it takes {LEAST_TRIALS} complete trials, and there are {len(complete)}"
    if len({trial.value for trial in complete}) == 1:
        return f"all {len(complete)} complete trials have the same result"
    if len(_varied(complete)) < 2:
        return "it takes two hyperparameters that vary in all complete trials"
    return ""


def _varied(complete: list[Any]) -> list[str]:
    """The hyperparameters that all trials have and that vary among them."""
    common = [
        name for name in complete[0].params if all(name in trial.params for trial in complete)
    ]
    return [name for name in common if len({repr(trial.params[name]) for trial in complete}) > 1]
