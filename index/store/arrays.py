"""Keep arrays in a file that is mapped into memory; a damaged file is never used."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_DRAFT = ".vectors-"  # begins the name of an unfinished file
_END = struct.Struct("<IQ")  # ends a file: the checksum of all before it, and the header's offset
_ALIGNED = 8  # bytes


def write(
    file: Path | None, facts: Mapping[str, Any], arrays: Iterable[tuple[str, Iterable[Array]]]
) -> Path:
    """Write arrays, each given in parts, to a file, or write nothing.

    Args:
        file: replaced atomically; None for a temporary file, which the caller deletes.
        facts: JSON values, stored with the arrays.
        arrays: names and parts, at least one part each; the parts are computed as they are written.

    Raises:
        OSError: the file cannot be written.
    """
    folder = file.parent if file else None
    for draft in folder.glob(f"{_DRAFT}*") if folder else ():  # left by a process that was killed
        draft.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_DRAFT, delete=False) as opened:
        draft = Path(opened.name)
        try:
            _write(opened, facts, arrays)
            opened.flush()
            os.fsync(opened.fileno())
            return draft.replace(file) if file else draft
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _write(
    opened: IO[bytes], facts: Mapping[str, Any], arrays: Iterable[tuple[str, Iterable[Array]]]
) -> None:
    checksum = place = 0

    def put(data: bytes) -> None:
        nonlocal checksum, place
        checksum, place = zlib.crc32(data, checksum), place + len(data)
        opened.write(data)

    held = {}
    for name, parts in arrays:
        start, count, part = place, 0, np.empty(0)
        for part in parts:
            put(part.tobytes())
            count += len(part)
        held[name] = (part.dtype.str, (count, *part.shape[1:]), start)
        put(bytes(-place % _ALIGNED))
    head = place
    put(json.dumps({**facts, "arrays": held}).encode())
    opened.write(_END.pack(checksum, head))


def read(file: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the facts and the arrays of a file; the arrays stay in the file.

    Raises:
        ValueError: it is damaged.
        OSError: it is missing or cannot be read.
    """
    with file.open("rb") as opened:
        facts = _checked(opened)
    whole = np.memmap(file, np.uint8, "r")
    arrays = {}
    for name, (dtype, shape, start) in facts.pop("arrays").items():
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        arrays[name] = np.asarray(whole[start : start + size]).view(dtype).reshape(shape)
    return facts, arrays


def _checked(opened: IO[bytes]) -> dict[str, Any]:
    """Return the header of a file. Raises ValueError if its checksum shows damage."""
    end = opened.seek(0, os.SEEK_END) - _END.size
    if end < 0:
        raise ValueError("it is cut short")
    opened.seek(end)
    expected, start = _END.unpack(opened.read())
    opened.seek(0)
    checksum, left = 0, end
    while left:
        data = opened.read(min(left, 1 << 20))
        checksum, left = zlib.crc32(data, checksum), left - len(data)
    if checksum != expected or not 0 <= start < end:
        raise ValueError("its checksum is wrong")
    opened.seek(start)
    head: dict[str, Any] = json.loads(opened.read(end - start))
    return head
