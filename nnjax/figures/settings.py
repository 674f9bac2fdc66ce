"""The matplotlib settings that nnjax draws with, whatever those of the user are."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

BACKEND = "MPLBACKEND"
"""The environment variable that names matplotlib's backend."""

FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans Symbols 2",
)
"""Fonts for letters that matplotlib's own font lacks; those that are installed are used."""


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Draws with nnjax's settings, and puts the user's settings back; also a decorator.

    Matplotlib's defaults replace the user's ``matplotlibrc``, style sheets and ``rcParams``: with
    ``text.usetex``, for example, every figure would need LaTeX. The backend stays the user's, so
    that a notebook shows the figures as it shows others.

    Example:
      >>> import matplotlib
      >>> from nnjax.figures.settings import own_settings
      >>> with matplotlib.rc_context({"font.size": 30}), own_settings():
      ...     print(matplotlib.rcParams["font.size"])
      10.0
    """
    import_matplotlib()
    import matplotlib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        # A letter that no font has is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        with matplotlib.rc_context(_settings()):
            yield


def import_matplotlib() -> None:
    """Imports what drawing needs, also where ``MPLBACKEND`` names a backend that is not installed.

    A notebook hands its own backend down to the processes that it starts. Matplotlib refuses to be
    imported where that backend is missing from the environment of the process.
    """
    backend = None if "matplotlib" in sys.modules else os.environ.pop(BACKEND, None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ[BACKEND] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    import matplotlib.backends.backend_agg
    import matplotlib.figure


@functools.cache
def _settings() -> Any:
    import matplotlib
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    defaults = {name: v for name, v in matplotlib.rcParamsDefault.items() if name != "backend"}
    return {
        **defaults,
        "font.family": ["DejaVu Sans", *(font for font in FALLBACK_FONTS if font in installed)],
        # Names are shown as they are: a $ in them begins no formula.
        "text.parse_math": False,
    }
