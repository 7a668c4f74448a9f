"""Files as arrays that are read where they are looked at, and cost nothing to open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped(path: Path, dtype: type[np.generic] | str, shape: tuple[int, ...] = (-1,)) -> NDArray[Any]:
    """A file as an array.

    Raises:
        OSError, ValueError: the file is missing, or its size does not fit.
    """
    if not path.stat().st_size:  # an empty file cannot be mapped
        return np.empty((0, *shape[1:]), dtype)
    # A plain array over the map: slices of `np.memmap` itself cost a microsecond each.
    return np.asarray(np.memmap(path, dtype, "r")).reshape(shape)
