"""The `onrecord` command in this process."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.cli import app

ROWS: list[dict[str, Any]] = [
    {
        "id": "dam",
        "title": "Gate fails",
        "text": "A gate at Hallow Dam failed on Monday. Two people died.",
        "publisher": "Northwire",
        "published": "2026-03-09T11:20:00+00:00",
        "url": "https://northwire.example/dam",
    },
    {
        "_id": "cup",
        "title": "Cup final",
        "text": "Athletic reached the cup final. Fans cheered.",
        "metadata": {"source": "Courier", "published_at": "2026-03-10"},
    },
]


class Shell:
    """Runs the command in this process, with a fake encoder and a data folder of its own."""

    def __init__(
        self, data: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.data = data
        self._patch = patch
        self._capture = capture
        self.err = ""

    def __call__(self, *arguments: str, status: int = 0, stdin: bytes = b"") -> str:
        """Return the output of `onrecord ARGUMENTS`, which must end with `status`."""
        self._patch.setattr(sys, "argv", ["onrecord", *arguments])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, self.err = self._capture.readouterr()
        assert (ended.value.code or 0) == status, self.err
        return out

    def json(self, *arguments: str, status: int = 0, stdin: bytes = b"") -> Any:
        """Return the JSON document that the command prints."""
        return json.loads(self(*arguments, "--json", status=status, stdin=stdin))
