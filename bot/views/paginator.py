"""Lists in pages that turn in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.views.base import Button, Press
from bot.views.message import Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of items, its label, and the navigation row; no row if all fit on one page."""

    items: Sequence[T]
    label: str
    rows: list[Row]


def page_of(items: Sequence[T], press: Press, size: int, back: str, onward: str) -> Page[T]:
    """The page that a press turned to; `back` and `onward` name the buttons that turn it."""
    count = max(1, math.ceil(len(items) / size))
    number = min(press.page, count - 1)
    navigation = Row(
        Button(back, press.key, max(0, number - 1), disabled=number == 0),
        Button(onward, press.key, number + 1, disabled=number + 1 == count),
    )
    shown = items[number * size : (number + 1) * size]
    return Page(shown, f"Page {number + 1} of {count}", [navigation] if count > 1 else [])
