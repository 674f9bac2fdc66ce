"""The words of a command line, before tyro reads them: finding options, taking them out.

An option is ``--name VALUE`` or ``--name=VALUE``; only the first ``=`` parts the two. As with tyro,
``--run_dir`` is ``--run-dir``.
"""

from collections.abc import Collection, Sequence


def has(arguments: Sequence[str], name: str) -> bool:
    """Whether the option is there.

    Args:
      arguments: the words.
      name: of the option, with its hyphens.
    """
    return any(_name(word) == name for word in arguments)


def split(arguments: Sequence[str], names: Collection[str]) -> tuple[list[str], list[str]]:
    """Takes options out of the words.

    Args:
      arguments: the words.
      names: of the options, with their hyphens.

    Returns:
      The words of these options, each name and each value a word of its own; and the other words.
    """
    own, rest = [], []
    words = iter(arguments)
    for word in words:
        if _name(word) not in names:
            rest.append(word)
        elif "=" in word:
            own += [_name(word), word.partition("=")[2]]
        else:
            own += [_name(word), *(value for value in [next(words, None)] if value is not None)]
    return own, rest


def take(arguments: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """Takes one option out of the words.

    Args:
      arguments: the words.
      name: of the option, with its hyphens.

    Returns:
      Its value, the last one where it is there twice, as with tyro; an empty one where the value is
      missing; None where the option is not there. And the other words.
    """
    own, rest = split(arguments, (name,))
    if not own:
        return None, rest
    return ("" if len(own) % 2 else own[-1]), rest


def rename(arguments: Sequence[str], name: str, other: str) -> list[str]:
    """Gives an option another name, wherever it is.

    Args:
      arguments: the words.
      name: of the option, with its hyphens.
      other: its new name.
    """
    return [
        other + "".join(word.partition("=")[1:]) if _name(word) == name else word
        for word in arguments
    ]


def _name(word: str) -> str | None:
    """The name of the option that the word begins; None where it is no option."""
    return word.partition("=")[0].replace("_", "-") if word.startswith("--") else None
