"""JAX's persistent compilation cache, so that a second command need not compile again."""

import os
import warnings

import jax

from nnjax.data.directory import data_directory


def enable() -> None:
    """Turns on JAX's persistent compilation cache, in nnjax's own cache folder.

    A folder that the user chose, by ``JAX_COMPILATION_CACHE_DIR`` or in code, stays. If the folder
    cannot be written, there is no cache; entries that a full disk truncated are ignored.
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
        # JAX caches only programs that took a second to compile; a run begins with smaller ones.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
