"""Everything that can go wrong. Each message is one plain sentence that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class OnRecordError(Exception):
    """The root of all errors that On Record raises on purpose."""


class InputError(OnRecordError):
    """The input cannot be used."""


class QuestionError(InputError):
    """The question or one of its filters cannot be used."""


class SourceError(InputError):
    """A source cannot be read as articles."""


class QuoteError(InputError):
    """A span does not stand verbatim in its stored article."""


class NotFoundError(OnRecordError):
    """The collection does not have what was named."""


class CancelledError(OnRecordError):
    """A long task was stopped by its caller; what was committed stays."""


class SettingsError(OnRecordError):
    """The settings contradict themselves or this machine."""


class EncoderError(OnRecordError):
    """A model cannot be loaded, checked or used."""


class ModelMismatchError(EncoderError):
    """The collection was embedded by a model other than the one in the settings."""


class StoreError(OnRecordError):
    """The collection cannot be opened, read or written."""


class StoreVersionError(StoreError):
    """The collection was made by another version of On Record."""


class StoreBusyError(StoreError):
    """Another process holds the collection for writing."""


class StoreDamagedError(StoreError):
    """The collection's file is damaged, or is not a database."""


def not_utf8(error: UnicodeEncodeError) -> str:
    """Return what to do about bytes of a command line that are no UTF-8."""
    return f"{error.object!a:.200} is not UTF-8: check how it is typed."


def optional(default: T, part: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a part of an answer is; if working it out fails, log that and return a default.

    For all that an answer can do without: its quotes are sent, whatever else is wrong.
    """
    try:
        return part(*args, **kwargs)
    except Exception:
        log.exception("an answer goes without one of its parts")
        return default
