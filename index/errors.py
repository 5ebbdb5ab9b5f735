"""Everything that can go wrong, as one tree.

OnRecordError
├── InputError            what was handed in cannot be used
│   ├── QuestionError     an empty, over-long or otherwise unusable question or filter
│   ├── SourceError       a file, folder or address that cannot be read as articles
│   └── QuoteError        a span that is not, letter for letter, in its stored article
├── NotFoundError         no such article, answer or source in this collection
├── CancelledError        the caller asked for a long task to stop; what was committed stays
├── SettingsError         settings that contradict themselves or this machine (exit status 2)
├── EncoderError          a model that cannot be loaded, checked or used
│   └── ModelMismatchError  the collection was embedded by another model
└── StoreError            the collection cannot be opened, read or written
    ├── StoreVersionError   it was made by another version
    ├── StoreBusyError      another process holds it for writing
    └── StoreDamagedError   its file is damaged, or none of ours: recover or erase it

Each message is one plain sentence that says what to do; it may be shown to anybody.
"""

from __future__ import annotations


class OnRecordError(Exception):
    """The root of all errors that On Record raises on purpose."""


class InputError(OnRecordError):
    """What was handed in cannot be used."""


class QuestionError(InputError):
    """The question or one of its filters cannot be used."""


class SourceError(InputError):
    """A source cannot be read as articles."""


class QuoteError(InputError):
    """A span is not, letter for letter, in its stored article."""


class NotFoundError(OnRecordError):
    """The collection holds no such thing."""


class CancelledError(OnRecordError):
    """A long task was stopped by its caller; what was committed stays."""


class SettingsError(OnRecordError):
    """The settings contradict themselves or this machine."""


class EncoderError(OnRecordError):
    """A model cannot be loaded, checked or used."""


class ModelMismatchError(EncoderError):
    """The collection was embedded by another model than the one in the settings."""


class StoreError(OnRecordError):
    """The collection cannot be opened, read or written."""


class StoreVersionError(StoreError):
    """The collection was made by another version of On Record."""


class StoreBusyError(StoreError):
    """Another process holds the collection for writing."""


class StoreDamagedError(StoreError):
    """The collection's file is damaged, or no database at all."""
