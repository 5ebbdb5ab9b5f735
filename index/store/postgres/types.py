"""Convert values between Python and PostgreSQL."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
from psycopg import pq
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.types import string

_ESCAPE = "\x1a"  # a text in PostgreSQL cannot have a NUL, which is written as this and "0"


def _escaped(text: str) -> str:
    if "\x00" not in text and _ESCAPE not in text:
        return text
    return text.replace(_ESCAPE, f"{_ESCAPE}1").replace("\x00", f"{_ESCAPE}0")


def _text(data: Buffer) -> str:
    text = bytes(data).decode()
    if _ESCAPE not in text:
        return text
    return text.replace(f"{_ESCAPE}0", "\x00").replace(f"{_ESCAPE}1", _ESCAPE)


class _TextDumper(string.StrBinaryDumper):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(_escaped(obj))


class _UntypedTextDumper(string.StrDumperUnknown):
    """Dumps values of a statement, whose type is that of what they are compared with."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(_escaped(obj))


class _TextLoader(Loader):
    format = pq.Format.TEXT

    def load(self, data: Buffer) -> str:
        return _text(data)


class _BinaryTextLoader(_TextLoader):
    format = pq.Format.BINARY


class _VectorDumper(Dumper):
    """Dumps float32 bytes as a pgvector vector: its length, 0, and the numbers in network order."""

    format = pq.Format.BINARY

    def dump(self, obj: bytes) -> Buffer | None:
        numbers = np.frombuffer(obj, dtype="<f4")
        return len(numbers).to_bytes(2) + b"\0\0" + numbers.astype(">f4").tobytes()


class _VectorLoader(Loader):
    format = pq.Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return np.frombuffer(data, dtype=">f4", offset=4).astype("<f4").tobytes()


def register(connection: psycopg.Connection[Any], vector_oid: int) -> None:
    """Register these conversions of texts and vectors with a connection."""
    adapters = connection.adapters
    adapters.register_dumper(str, _TextDumper)
    adapters.register_dumper(str, _UntypedTextDumper)
    for loader in (_TextLoader, _BinaryTextLoader):
        adapters.register_loader("text", loader)
        adapters.register_loader("varchar", loader)
    dumper = type("VectorDumper", (_VectorDumper,), {"oid": vector_oid})
    adapters.register_dumper(bytes, dumper)
    adapters.register_loader(vector_oid, _VectorLoader)
