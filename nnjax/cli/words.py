"""Finds and removes options in the words of a command line, before tyro parses them.

An option is ``--name VALUE`` or ``--name=VALUE``; the first ``=`` separates name and value. As in
tyro, ``--run_dir`` is the same as ``--run-dir``.
"""

from collections.abc import Collection, Sequence


def has(arguments: Sequence[str], name: str) -> bool:
    """Whether the words have an option.

    Args:
      arguments: the words.
      name: the name of the option, with its hyphens.
    """
    return any(_name(word) == name for word in arguments)


def split(arguments: Sequence[str], names: Collection[str]) -> tuple[list[str], list[str]]:
    """Separates some options from the other words.

    Args:
      arguments: the words.
      names: the names of the options, with their hyphens.

    Returns:
      The words of these options, with names and values as separate words; and the other words.
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
    """Separates one option from the other words.

    Args:
      arguments: the words.
      name: the name of the option, with its hyphens.

    Returns:
      The value of the option: the last value if the option is there twice, as in tyro; an empty
      string if the value is missing; None if the option is not there. And the other words.
    """
    own, rest = split(arguments, (name,))
    if not own:
        return None, rest
    return ("" if len(own) % 2 else own[-1]), rest


def rename(arguments: Sequence[str], name: str, other: str) -> list[str]:
    """Returns the words with another name for an option.

    Args:
      arguments: the words.
      name: the name of the option, with its hyphens.
      other: the new name.
    """
    return [
        other + "".join(word.partition("=")[1:]) if _name(word) == name else word
        for word in arguments
    ]


def _name(word: str) -> str | None:
    """The name of the option at the beginning of a word; None if the word is not an option."""
    return word.partition("=")[0].replace("_", "-") if word.startswith("--") else None
