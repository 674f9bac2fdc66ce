"""Several devices: a mesh with one axis, ``data``, over which a batch is split.

The devices may belong to several processes, on one host or many. Every process then takes part in
making an array, and supplies the shards of its own devices.
"""

import os
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from nnjax.errors import UserError

AXIS = "data"

THREADS_FOR_EACH = 16
"""Processor threads for each virtual device of a CPU."""


def use_threads(count: int) -> None:
    """Sets the number of processor threads of each CPU device of this process; 0 takes all.

    Where a CPU is several virtual devices, the number is raised so that all of them can run: a
    thread that waits in an all-reduce computes nothing, and if every thread waited, the program
    would hang.

    This has no effect once JAX has begun to compute: its CPU client reads the number at its start.
    """
    virtual = re.search(
        r"xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", "")
    )
    if virtual and int(virtual[1]) > 1:
        count = max(count, THREADS_FOR_EACH * int(virtual[1]))
    if count:
        os.environ["NPROC"] = str(count)


def threads() -> int:
    """Returns the number of processor threads that a CPU device of this process uses."""
    chosen = os.environ.get("NPROC", "")
    if chosen.isdigit() and int(chosen):
        return int(chosen)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_mesh(count: int) -> Mesh:
    """Returns a mesh of the first ``count`` devices; 0 takes all.

    With several processes the mesh has the devices of all, those of a process side by side.

    Raises:
      UserError: ``count`` is negative; the machine has fewer devices; or there are several
        processes and ``count`` is not the number of devices of all.
    """
    if count < 0:
        raise UserError(f"the number of devices is positive, or 0 for all, not {count}")
    if jax.process_count() > 1:
        return _mesh_of_processes(count)
    devices = jax.local_devices()
    if count > len(devices):
        kinds = f"{len(devices)} {devices[0].platform} device" + "s" * (len(devices) > 1)
        raise UserError(
            f"{count} devices were asked for, this machine has {kinds}; give --devices "
            f"{len(devices)}, or 0 for all there are"
        )
    chosen = devices[: count or len(devices)]
    return jax.make_mesh((len(chosen),), (AXIS,), axis_types=(AxisType.Auto,), devices=chosen)


def _mesh_of_processes(count: int) -> Mesh:
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    if count not in (0, len(devices)):
        raise UserError(
            f"devices is {count}, but the {jax.process_count()} processes have {len(devices)} "
            f"together, and all of them must take part; give --devices 0"
        )
    # Not `jax.make_mesh`: on TPUs it would interleave the devices of the processes.
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def is_one_cpu(mesh: Mesh) -> bool:
    """Whether the mesh is a single CPU device, so that threads of the host may share the work."""
    return mesh.size == 1 and mesh.devices.flat[0].platform == "cpu"


def memory(mesh: Mesh) -> int:
    """Returns the memory of a device in bytes; CPU devices share the memory of the machine."""
    stats = _memory_stats(mesh)
    if "bytes_limit" in stats:
        return stats["bytes_limit"]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // len(mesh.local_devices)


def free_memory(mesh: Mesh) -> int:
    """Returns the free memory, in bytes, of all devices of a mesh together."""
    stats = _memory_stats(mesh)
    if "bytes_limit" in stats:
        return (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) * mesh.size
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _memory_stats(mesh: Mesh) -> dict[str, int]:
    """The memory statistics of the first device of this process; empty where there are none."""
    return mesh.local_devices[0].memory_stats() or {}


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding that puts the whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Returns the sharding that splits one axis over the devices."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))


# Putting arrays on the devices -------------------------------------------------------------------


def put(tree: Any, sharding: Any) -> Any:
    """Puts arrays on the devices; every process has the whole of each array.

    Args:
      tree: NumPy arrays, or typed PRNG keys of JAX.
      sharding: of each array, or None for the default device.
    """
    if sharding is None or sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda array: _put_parts(array, sharding), tree)


def _put_parts(array: Any, sharding: NamedSharding) -> jax.Array:
    # Not `device_put`: it compares the arrays of the processes by a collective, and threads call
    # this function in an order that differs between processes.
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = _put_parts(np.asarray(jax.random.key_data(array)), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
    array = np.asarray(array)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    return jax.make_array_from_callback(
        array.shape, sharding, lambda index: array[index], dtype=dtype
    )


def own_rows(rows: int, mesh: Mesh) -> slice:
    """Returns the rows of a batch that are on the devices of this process.

    Args:
      rows: of the whole batch, a multiple of the number of devices.
      mesh: the devices.
    """
    each = rows // mesh.size
    own = [
        place
        for place, device in enumerate(mesh.devices.flat)
        if device.process_index == jax.process_index()
    ]
    return slice(own[0] * each, (own[-1] + 1) * each)


def put_share(batch: Any, mesh: Mesh, axis: int = 0) -> Any:
    """Splits a batch over the devices; each process has only its :func:`own_rows`.

    Args:
      batch: arrays.
      mesh: the devices.
      axis: the axis of the rows.
    """
    sharding = split_batch(mesh, axis)
    if sharding.is_fully_addressable:
        return jax.device_put(batch, sharding)
    return jax.tree.map(
        lambda array: jax.make_array_from_process_local_data(sharding, np.asarray(array)), batch
    )


# Getting them back -------------------------------------------------------------------------------


def gathered(tree: Any) -> Any:
    """Returns the arrays with those that are split over processes gathered in every process."""
    return jax.tree.map(_gathered, tree)


def _gathered(array: Any) -> Any:
    if not isinstance(array, jax.Array) or array.is_fully_addressable or array.is_fully_replicated:
        return array
    sharding = array.sharding
    assert isinstance(sharding, NamedSharding)
    assert isinstance(sharding.mesh, Mesh)
    return jax.jit(lambda parts: parts, out_shardings=replicated(sharding.mesh))(array)


def local(tree: Any) -> Any:
    """Returns the arrays on one device of this process. Collective: every process must call it."""

    def take(array: Any) -> Any:
        if not isinstance(array, jax.Array) or array.is_fully_addressable:
            return array
        return array.addressable_data(0)

    return jax.tree.map(take, gathered(tree))
