"""What a user says of memory in, a number of bytes out."""

import os
import re
from pathlib import Path

#: Where Linux says what a container may take, in its two versions.
_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def resolve_memory(max_memory: float | str | None) -> int:
    """Return how many bytes may be taken.

    Parameters
    ----------
    max_memory : float, str or None
        In bytes, or as in "2GB"; None is a quarter of what there is.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if max_memory is None:
        return _count_memory() // 4
    number = r"(\d+(?:\.\d*)?(?:E\+?\d+)?)"
    parts = re.fullmatch(number + r"\s*([KMGT]?)I?B?", str(max_memory).upper())
    n_bytes = parts and int(float(parts[1]) * _UNITS[parts[2]])
    if not n_bytes:
        message = (
            "The 'max_memory' parameter of fused must be a number of bytes above 0, a "
            f"str such as '2GB', or None. Got {max_memory!r} instead."
        )
        raise ValueError(message)
    return n_bytes


def _count_memory() -> int:
    """Return the memory of the machine, or of a container; 8 GB where none is told."""
    counts = [_read_limit(path) for path in _LIMITS]
    try:
        counts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        counts.append(8 * 2**30)
    return min(count for count in counts if count)


def _read_limit(path: str) -> int | None:
    """Return the number in a file, if there is one: it may say "max"."""
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
