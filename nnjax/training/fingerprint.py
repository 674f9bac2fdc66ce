"""A fingerprint of data, to check at little cost that several processes read the same data."""

import json
import zlib
from typing import Any

import jax
import numpy as np

from nnjax.data.dataset import SPLITS, Dataset, Stream
from nnjax.runs import data_json


def of(data: Dataset | Stream) -> dict[str, str]:
    """Returns checksums of the description and the splits of data, as hexadecimal texts by name.

    Of a split whose records are read one by one, the checksum covers three records.
    """
    described = data_json.to_json(data)
    marks = {name: json.dumps(value, sort_keys=True) for name, value in described.items()}
    found = {name: _hexadecimal(zlib.crc32(text.encode())) for name, text in marks.items()}
    splits = getattr(data, "splits", {})
    for name in SPLITS:
        if isinstance(data, Dataset) and name in splits:
            found[f"{name} split"] = _of_arrays(splits[name])
        elif data.size(name) and name in splits:
            last = len(splits[name]) - 1
            records = [splits[name][index] for index in sorted({0, last // 2, last})]
            found[f"{name} split"] = _of_arrays(records)
    return found


def _of_arrays(tree: Any) -> str:
    crc = 0
    for array in jax.tree.leaves(jax.tree.map(np.asarray, tree)):
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
    return _hexadecimal(crc)


def _hexadecimal(crc: int) -> str:
    return f"{crc:08x}"
