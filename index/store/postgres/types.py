"""How Python's values become PostgreSQL's, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
from psycopg import pq
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.types import string

_ESCAPE = "\x1a"  # a text in PostgreSQL cannot have a NUL: it is written as this and "0"


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
    """For values of a statement: what they are compared with gives the type."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(_escaped(obj))


class _TextLoader(Loader):
    format = pq.Format.TEXT

    def load(self, data: Buffer) -> str:
        return _text(data)


class _BinaryTextLoader(_TextLoader):
    format = pq.Format.BINARY


class _VectorDumper(Dumper):
    """Bytes of float32 become a vector of pgvector: its length, 0, and numbers in network order."""

    format = pq.Format.BINARY

    def dump(self, obj: bytes) -> Buffer | None:
        numbers = np.frombuffer(obj, dtype="<f4")
        return len(numbers).to_bytes(2) + b"\0\0" + numbers.astype(">f4").tobytes()


class _VectorLoader(Loader):
    format = pq.Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return np.frombuffer(data, dtype=">f4", offset=4).astype("<f4").tobytes()


def register(connection: psycopg.Connection[Any], vector_oid: int) -> None:
    """Let a connection take and give our texts and vectors."""
    adapters = connection.adapters
    adapters.register_dumper(str, _TextDumper)
    adapters.register_dumper(str, _UntypedTextDumper)
    for loader in (_TextLoader, _BinaryTextLoader):
        adapters.register_loader("text", loader)
        adapters.register_loader("varchar", loader)
    dumper = type("VectorDumper", (_VectorDumper,), {"oid": vector_oid})
    adapters.register_dumper(bytes, dumper)
    adapters.register_loader(vector_oid, _VectorLoader)
