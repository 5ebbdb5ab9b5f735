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
    """A span is not verbatim in its stored article."""


class NotFoundError(OnRecordError):
    """There is nothing of this name or id in the collection."""


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


def not_utf8(error: UnicodeEncodeError) -> InputError:
    """Return the error for a command-line argument that is not UTF-8."""
    return InputError(f"{error.object!a:.200} is not UTF-8: check how it is typed.")


def optional(default: T, part: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `part(*args, **kwargs)`; if that raises, log the error and return a default.

    For everything that an answer can do without: its quotes are sent, whatever else is wrong.
    """
    try:
        return part(*args, **kwargs)
    except Exception:
        log.exception("an optional part of an answer failed and is left out")
        return default
