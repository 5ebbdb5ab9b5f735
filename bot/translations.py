"""Commands and their options in German and Spanish; answers quote what reports say."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import discord
from discord import app_commands

_PLACES = {  # in a row of the table
    discord.Locale.german: 0,
    discord.Locale.spain_spanish: 1,
    discord.Locale.latin_american_spanish: 1,
}


def table() -> dict[str, list[str]]:
    """All translations, by the English words."""
    return tomllib.loads((files("bot") / "translations.toml").read_text("utf-8"))


class Translations(app_commands.Translator):
    """Translates what it knows; Discord shows the rest in English."""

    def __init__(self) -> None:
        """Read the table."""
        self._words = table()

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - the same word everywhere
    ) -> str | None:
        found, place = self._words.get(string.message), _PLACES.get(locale)
        return None if found is None or place is None else found[place]
