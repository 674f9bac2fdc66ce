"""Keeps compiled programs from one command to the next, so that the second starts at once."""

import os
import warnings

import jax

from nnjax.data.directory import data_directory


def enable() -> None:
    """Turns on JAX's persistent compilation cache, in nnjax's own cache folder.

    Leaves alone what the user chose, by ``JAX_COMPILATION_CACHE_DIR`` or in code, and does without
    where the folder cannot be written, or a full disk cut a program short.
    """
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    if jax.config.values["jax_compilation_cache_dir"] is None:
        folder = data_directory() / "compiled"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        if not os.access(folder, os.W_OK):
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        # By default only what took a second is kept; a run begins with a dozen smaller programs.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
