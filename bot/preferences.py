"""The preferences of a server: what moderators chose in /settings, else the operator's settings."""

from __future__ import annotations

from typing import Any, Literal

import discord
from pydantic import BaseModel

from bot.settings import Settings
from index import Archive

Caution = Literal["cautious", "normal", "eager"]
# Of 75 ordinary questions on real news and 20 near misses, 0.45 answers 75 % and 35 %; of 100 and
# 60 others the default answers 86 % and 43 %. On the sample reports 0.25 answers no more questions
# than the default, and 62 % of the near misses instead of 42 % (tests/data/ordinary.jsonl).
_THRESHOLDS: dict[Caution, float | None] = {"cautious": 0.5, "normal": None, "eager": 0.3}


class Preferences(BaseModel, frozen=True):
    """How the bot behaves in one server.

    Attributes:
        moderator_roles: ids of roles whose members moderate.
        channels: ids of the channels where it answers in public; empty for all channels.
        notices: the id of the channel where moderators are notified.
        questions_per_minute: how many questions a person may ask in a minute.
        keep_days: days after which answers are deleted.
        weekly: whether moderators get counts every week.
    """

    moderator_roles: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    notices: int | None = None
    questions_per_minute: int
    keep_days: int
    caution: Caution = "normal"
    weekly: bool = False

    def threshold(self, default: float) -> float:
        """Return the confidence below which to decline, given the operator's setting."""
        chosen = _THRESHOLDS[self.caution] or default
        return max(chosen, default) if self.caution == "cautious" else min(chosen, default)

    def present(self, guild: discord.Guild | None) -> Preferences:
        """Return a copy without deleted roles and channels, which Discord refuses in menus."""
        if guild is None:
            return self
        known = {
            "moderator_roles": tuple(filter(guild.get_role, self.moderator_roles)),
            "channels": tuple(filter(guild.get_channel, self.channels)),
            "notices": self.notices if guild.get_channel(self.notices or 0) else None,
        }
        return self.model_copy(update=known)

    def elsewhere(self, channel: Any) -> str:
        """Return where to ask instead of in this channel or thread; "" if the bot answers here."""
        place = channel.parent_id if isinstance(channel, discord.Thread) else channel.id
        if not self.channels or place in self.channels:
            return ""
        known = self.present(channel.guild).channels
        if not known:
            return (
                "the channels chosen in `/settings` no longer exist: a moderator can choose others."
            )
        return f"ask in {' or '.join(f'<#{chosen}>' for chosen in known)}."


def preferences(settings: Settings, archive: Archive | None, server: int | None) -> Preferences:
    """Return a server's preferences (None: direct messages); its collection may not exist yet."""
    chosen = archive.preferences.of(server) if archive and server else {}
    chosen.setdefault("questions_per_minute", settings.discord.questions_per_minute)
    days = kept_days(settings, archive) if archive else settings.answers.keep_days
    return Preferences(**chosen | {"keep_days": days})


def kept_days(settings: Settings, archive: Archive) -> int:
    """Return the days for which answers are kept: as the operator set, or fewer if chosen.

    If servers share the collection, the fewest days count, so that no server's choice is exceeded.
    """
    chosen = archive.preferences.named("keep_days")
    return min([settings.answers.keep_days, *map(int, chosen.values())])
