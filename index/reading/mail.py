"""Read a mail: its text and its attached files; runs in the sandbox."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import InvalidBase64CharactersDefect, InvalidBase64LengthDefect
from email.message import MIMEPart
from typing import cast

from index.errors import SourceError
from index.reading.markup import paragraphs, with_guesses
from index.reading.recognise import READABLE_SUFFIXES, suffix_of
from index.reading.text import Record, decode

_BROKEN = (InvalidBase64CharactersDefect, InvalidBase64LengthDefect)
_LISTED = 3  # how many attachments that are not read are named
_WRAPPED = range(50, 81)  # lengths of lines that a mail program broke


def read_mail(data: bytes) -> list[Record]:
    """Read a mail's report, and the `name` and base64 `data` of each readable attached file.

    The author is the sender; the publisher can only be guessed from the sender's address.
    """
    message = message_from_bytes(data, policy=policy.default)
    sender = next(iter(message["from"].addresses), None) if message["from"] else None
    text = _body(message)
    stated = {
        "title": str(message["subject"] or ""),
        "author": sender and (sender.display_name or (not sender.domain and sender.username)),
        "published": str(message["date"] or ""),
        "text": text,
        "key": _key(message),
    }
    report = with_guesses(stated, {"publisher": sender.domain if sender else None})
    records = [report] if text.strip() else []
    files, unread = _attachments(message)
    records += files
    if unread:
        more = f" and {len(unread) - _LISTED:,} more" if len(unread) > _LISTED else ""
        names = ", ".join(unread[:_LISTED]) + more
        records.append({"omitted": f"Attached files in other formats were not read: {names}."})
    if all("omitted" in record for record in records):
        raise SourceError("is a mail without a readable text: save what it says as text")
    return records


def _key(message: MIMEPart) -> str | None:
    identifier = "".join(str(message["message-id"] or "").split())
    return f"mail {identifier}" if identifier else None


def _body(message: MIMEPart) -> str:
    """Return a mail's plain text, or its HTML if the plain text is only a notice beside it."""
    plain, page = (message.get_body((kind,)) for kind in ("plain", "html"))
    text = (_flowed if _is_flowed(plain) else _unwrapped)(_decoded(plain)) if plain else ""
    markup = paragraphs(_decoded(page)) if page else ""
    return text if len(text) >= len(markup) / 2 else markup


def _decoded(part: MIMEPart) -> str:
    content = _content(part)
    if content is None:
        raise SourceError("was damaged on its way: save what it says as text")
    return decode(content, part.get_content_charset()) if content.strip() else ""


def _content(part: MIMEPart) -> bytes | None:
    """Return the bytes of a part; None if its base64 is invalid."""
    content = cast("bytes", part.get_payload(decode=True) or b"")
    return None if any(isinstance(defect, _BROKEN) for defect in part.defects) else content


def _is_flowed(part: MIMEPart) -> bool:
    return bool(re.search(r"format=\"?flowed", str(part["content-type"] or ""), re.IGNORECASE))


def _flowed(text: str) -> str:
    """Join lines by RFC 3676: a line that continues ends with a space, at the same quote depth."""
    lines: list[str] = []
    open_quote = None  # quote marks, such as “>>”, of the previous line if it continues
    for line in text.split("\n"):
        quote = line[: len(line) - len(line.lstrip(">"))]
        words = line[len(quote) :].removeprefix(" ")
        is_signature = words == "-- "
        if quote == open_quote and not is_signature:
            lines[-1] += words
        else:
            lines.append(f"{quote} {words}".lstrip())
        open_quote = quote if words.endswith(" ") and not is_signature else None
    return "\n".join(line.rstrip() for line in lines)


def _unwrapped(text: str) -> str:
    """Join lines that a mail program broke, and keep the line breaks of the writer."""
    blocks = []
    for block in re.split(r"\n[ \t]*\n", text.strip()):
        lines = block.split("\n")
        wrapped = all(len(line) in _WRAPPED for line in lines[:-1])
        blocks.append(" ".join(map(str.strip, lines)) if wrapped else block)
    return "\n\n".join(blocks)


def _attachments(message: MIMEPart) -> tuple[list[Record], list[str]]:
    """Return the attached files that may be reports, and the names of the others."""
    files, unread = [], []
    for name, content in _attached(message):
        if content is None:
            files.append({"omitted": f"The attached file {name} was damaged on its way: save it."})
        elif suffix_of(name) in READABLE_SUFFIXES:
            files.append({"name": name, "data": base64.b64encode(content).decode()})
        else:
            unread.append(name)
    return files, unread


def _attached(message: MIMEPart) -> Iterator[tuple[str, bytes | None]]:
    for number, part in enumerate(message.iter_attachments(), 1):
        name = re.split(r"[/\\]", part.get_filename() or "")[-1]  # without a path
        if part.get_content_type() == "message/rfc822":
            yield name or f"mail-{number}.eml", cast("MIMEPart", part.get_content()).as_bytes()
        else:
            yield name or f"part-{number}.{part.get_content_subtype()}", _content(part)
