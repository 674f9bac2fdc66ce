"""Several devices: a mesh with one axis, ``data``, over which a batch is spread."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from nnjax.errors import UserError

AXIS = "data"


def make_mesh(count: int) -> Mesh:
    """A mesh of the first ``count`` local devices; 0 takes all.

    Raises:
      UserError: the machine has fewer.
    """
    devices = jax.local_devices()
    if count > len(devices):
        kinds = f"{len(devices)} {devices[0].platform} device" + "s" * (len(devices) > 1)
        raise UserError(f"{count} devices were asked for, this machine has {kinds}")
    chosen = devices[: count or len(devices)]
    return jax.make_mesh((len(chosen),), (AXIS,), axis_types=(AxisType.Auto,), devices=chosen)


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
    """The first axis spread over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))
