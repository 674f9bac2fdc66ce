"""Several devices: a mesh with one axis, ``data``, over which a batch is spread.

The devices may belong to several processes, on one host or many. An array is then made by all of
them, each giving the parts that its own devices hold.
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
"""Processor threads for each device that a CPU pretends to be."""


def use_threads(count: int) -> None:
    """Has each CPU device of this process use so many processor threads; 0 leaves it all.

    Where a CPU pretends to be several devices, they get enough for all: a thread that waits for
    another device's sum computes nothing, and if every thread waited, none would ever go on.

    Without effect once JAX has begun to compute: its CPU client reads the number when it starts.
    """
    pretended = re.search(
        r"xla_force_host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", "")
    )
    if pretended and int(pretended[1]) > 1:
        count = max(count, THREADS_FOR_EACH * int(pretended[1]))
    if count:
        os.environ["NPROC"] = str(count)


def threads() -> int:
    """The processor threads that a CPU device of this process uses."""
    chosen = os.environ.get("NPROC", "")
    if chosen.isdigit() and int(chosen):
        return int(chosen)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_mesh(count: int) -> Mesh:
    """A mesh of the first ``count`` devices; 0 takes all.

    Of several processes, all devices take part, those of a process side by side.

    Raises:
      UserError: it is negative; the machine has fewer; or there are several processes and together
        they have more.
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
    # Not jax.make_mesh: on TPUs it would mix the devices of the processes.
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def is_one_cpu(mesh: Mesh) -> bool:
    """Whether the mesh is a single CPU device, beside which threads of the host may work."""
    return mesh.size == 1 and mesh.devices.flat[0].platform == "cpu"


def memory(mesh: Mesh) -> int:
    """Bytes that a device of the mesh has in all; CPU devices share those of the machine."""
    stats = _memory_stats(mesh)
    if "bytes_limit" in stats:
        return stats["bytes_limit"]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // len(mesh.local_devices)


def free_memory(mesh: Mesh) -> int:
    """Bytes that may be taken on all devices of a mesh together."""
    stats = _memory_stats(mesh)
    if "bytes_limit" in stats:
        return (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) * mesh.size
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _memory_stats(mesh: Mesh) -> dict[str, int]:
    """What the first device says of its memory, if anything; a process is told of its own only."""
    return mesh.local_devices[0].memory_stats() or {}


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """One axis spread over the devices."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))


# Putting arrays on the devices -------------------------------------------------------------------


def put(tree: Any, sharding: Any) -> Any:
    """Puts arrays, of which every process has the whole, on the devices.

    Args:
      tree: of NumPy arrays, or typed PRNG keys of JAX.
      sharding: of each, or None for the default device.
    """
    if sharding is None or sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda array: _put_parts(array, sharding), tree)


def _put_parts(array: Any, sharding: NamedSharding) -> jax.Array:
    # Unlike device_put it does not compare the processes' arrays, which takes a collective: these
    # are called by threads as well, in no common order.
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = _put_parts(np.asarray(jax.random.key_data(array)), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
    array = np.asarray(array)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    return jax.make_array_from_callback(
        array.shape, sharding, lambda index: array[index], dtype=dtype
    )


def own_rows(rows: int, mesh: Mesh) -> slice:
    """The rows of a batch that lie on the devices of this process.

    Args:
      rows: of the whole batch, a multiple of the devices.
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
    """Spreads a batch over the devices, of which each process has its :func:`own_rows` alone.

    Args:
      batch: arrays.
      mesh: the devices.
      axis: of the arrays, that of the rows.
    """
    sharding = split_batch(mesh, axis)
    if sharding.is_fully_addressable:
        return jax.device_put(batch, sharding)
    return jax.tree.map(
        lambda array: jax.make_array_from_process_local_data(sharding, np.asarray(array)), batch
    )


# Getting them back -------------------------------------------------------------------------------


def gathered(tree: Any) -> Any:
    """The same arrays, those that are spread over several processes whole at each of them."""
    return jax.tree.map(_gathered, tree)


def _gathered(array: Any) -> Any:
    if not isinstance(array, jax.Array) or array.is_fully_addressable or array.is_fully_replicated:
        return array
    sharding = array.sharding
    assert isinstance(sharding, NamedSharding)
    assert isinstance(sharding.mesh, Mesh)
    return jax.jit(lambda parts: parts, out_shardings=replicated(sharding.mesh))(array)


def local(tree: Any) -> Any:
    """Arrays of several processes on one device of this process, which then needs no other."""

    def take(array: Any) -> Any:
        if not isinstance(array, jax.Array) or array.is_fully_addressable:
            return array
        return array.addressable_data(0)

    return jax.tree.map(take, gathered(tree))
