"""The bot's log: a line for each event, with fields as `key=value`, and no secrets."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable

from bot.settings import Logs

# The URLs of Discord's replies have a token: /webhooks/1/aW50ZX…/messages, /interactions/1/aW50…
_REPLY_TOKEN = re.compile(r"(/(?:webhooks|interactions)/\d+/)[\w.%-]+")

_PLAIN = re.compile(r"[^\s\"=]+")


def fields(**values: object) -> dict[str, dict[str, object]]:
    """Return fields as the `extra` of a log call, without those that are None."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


class Formatter(logging.Formatter):
    """Writes "2026-03-09T04:40:12Z INFO bot.answers question answered id=… server=7 ms=212"."""

    converter = staticmethod(time.gmtime)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Replace these secrets wherever they occur."""
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self._secrets = [*secrets]

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        named: dict[str, object] = getattr(record, "fields", {})
        return " ".join([super().formatMessage(record), *(_pair(*item) for item in named.items())])

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return _REPLY_TOKEN.sub(r"\1[secret]", text)


def _pair(name: str, value: object) -> str:
    """Return a field as `key=value`; a value with spaces, quotes or line breaks is JSON."""
    text = str(value)
    return f"{name}={text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)}"


def configure(settings: Logs, secrets: Iterable[str], *, debug: bool = False) -> None:
    """Log to standard error from now on: this program, discord.py, and all warnings.

    With `debug`, everything is logged, but the text of messages only if the settings permit that.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter(secrets))
    root = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(handlers=[handler], level=root, force=True)
    for name in ("bot", "index", "discord"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else settings.level)
    library = logging.getLogger("discord")
    if not settings.questions:  # its debug lines have every message that it receives and sends
        library.setLevel(max(library.level, logging.INFO))
