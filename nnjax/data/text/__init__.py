"""Text sources: characters, words, pairs of texts, labelled and tagged texts."""

from nnjax.data.text.text import Recipes, Text

__all__ = ["Recipes", "Text"]
