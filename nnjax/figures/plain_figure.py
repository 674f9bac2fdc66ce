"""A matplotlib figure that is drawn with nnjax's settings, wherever and whenever it is drawn.

Imported when the first figure is made, because importing matplotlib takes most of a second.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

from nnjax.figures.settings import own_settings


class PlainFigure(Figure):
    """A figure that the user's matplotlib settings do not change.

    Matplotlib reads settings when a figure is made, drawn and saved. The functions that make
    figures use ``own_settings``; this class does so for the rest.
    """

    @own_settings()
    def draw(self, renderer: Any) -> None:
        """Draws the figure."""
        super().draw(renderer)

    @own_settings()
    def get_tightbbox(self, *arguments: Any, **options: Any) -> Any:
        """Returns the box around all that is drawn, in inches."""
        return super().get_tightbbox(*arguments, **options)

    @own_settings()
    def savefig(self, *arguments: Any, **options: Any) -> None:
        """Writes the figure to a file."""
        super().savefig(*arguments, **options)

    def _repr_png_(self) -> bytes:
        """The picture that a notebook shows, also where ``pyplot`` was never imported."""
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
