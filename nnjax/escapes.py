"""Control characters as escapes, so that a name cannot change what the terminal shows."""

import unicodedata

ESCAPED = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that are written as escapes: control, surrogate, line and paragraph marks."""


def printable(text: str, keep: str = "") -> str:
    r"""The text with each control character replaced by its escape, such as ``\n`` or ``\x1b``.

    Args:
      text: any text, for example a class name.
      keep: control characters that stay.

    Example:
      >>> from nnjax.escapes import printable
      >>> print(printable("two\nlines"))
      two\nlines
    """
    return "".join(
        character.encode("unicode_escape", "surrogatepass").decode()
        if unicodedata.category(character) in ESCAPED and character not in keep
        else character
        for character in text
    )
