"""Parameter groups: options of the optimizer for some of the parameters, selected by name."""

import dataclasses
import fnmatch
from typing import Any

from nnjax import parameters
from nnjax.errors import UserError, nearest
from nnjax.traced import check_number


@dataclasses.dataclass(frozen=True)
class Group:
    """The parameters that a pattern matches, and the options that differ for them.

    A parameter belongs to the first group that matches its name.

    Attributes:
      pattern: matches names such as "hidden1/kernel"; * stands for any text, slashes included, as
        in "*/bias".
      learning_rate_scale: factor on the learning rate.
      weight_decay: replaces the optimizer's, for every parameter of the group, biases included;
        None leaves the optimizer's.
      frozen: whether the parameters stay as they are, without moments and outside ``clip_norm``.

    Example:
      >>> from nnjax.optimizers import Adam, Group
      >>> frozen_encoder = (Group("encoder/*", frozen=True), Group("*"))
      >>> Adam(groups=frozen_encoder).groups[0].pattern
      'encoder/*'
    """

    pattern: str
    learning_rate_scale: float = 1.0
    weight_decay: float | None = None
    frozen: bool = False

    def __post_init__(self):
        check_number("learning rate scale", self.learning_rate_scale, at_least=0)
        check_number("weight decay", self.weight_decay, at_least=0)


def assign(params: Any, groups: tuple[Group, ...]) -> dict[str, Group]:
    """Returns the group of each parameter, by the parameter's name.

    Args:
      params: the parameters, arrays or any other leaves; only names matter.
      groups: in order of precedence; an empty tuple is one group of all parameters.

    Raises:
      UserError: a parameter is in no group, or a group has no parameter.
    """
    names = parameters.names(params)
    assigned: dict[str, Group] = {}
    for name in names:
        matching = (group for group in groups or (Group("*"),) if _matches(group, name))
        group = next(matching, None)
        if group is not None:
            assigned[name] = group
    _check(names, groups, assigned)
    return assigned


def _matches(group: Group, name: str) -> bool:
    return fnmatch.fnmatchcase(name, group.pattern)


def _check(names: list[str], groups: tuple[Group, ...], assigned: dict[str, Group]) -> None:
    for group in groups:
        if not any(_matches(group, name) for name in names):
            hint = nearest(group.pattern, names) or "; the parameters are " + ", ".join(names)
            raise UserError(f"group pattern '{group.pattern}' matches no parameter{hint}")
        if group not in assigned.values():
            raise UserError(
                f"group pattern '{group.pattern}' matches only parameters of the groups before it; "
                "put it first"
            )
    uncovered = [name for name in names if name not in assigned]
    if uncovered:
        patterns = ", ".join(f"'{group.pattern}'" for group in groups)
        raise UserError(
            f"no group covers {', '.join(uncovered)}: the patterns are {patterns}; end with '*'"
        )
