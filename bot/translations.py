"""Commands and their options in German and Spanish; answers quote what reports say."""

from __future__ import annotations

import discord
from discord import app_commands

_GERMAN, _SPANISH = 0, 1
_WORDS = {
    "ask": ("fragen", "preguntar"),
    "why": ("warum", "porque"),
    "help": ("hilfe", "ayuda"),
    "reports": ("berichte", "noticias"),
    "list": ("liste", "lista"),
    "show": ("zeigen", "mostrar"),
    "timeline": ("zeitleiste", "cronologia"),
    "watching": ("beobachtet", "pendientes"),
    "reindex": ("neu-einlesen", "reindexar"),
    "Check against the reports": ("Mit den Berichten prüfen", "Contrastar con las noticias"),
    "Answers from the reports, in their own words": (
        "Antwortet aus den Berichten, in deren eigenen Worten",
        "Responde con las palabras textuales de las noticias",
    ),
    "What I can do here": ("Was ich hier kann", "Lo que puedo hacer aquí"),
    "How an answer came about, and what has changed since": (
        "Wie eine Antwort zustande kam und was sich seither geändert hat",
        "Cómo surgió una respuesta y qué ha cambiado desde entonces",
    ),
    "What reports there are to ask about": (
        "Welche Berichte es gibt",
        "Qué noticias hay para preguntar",
    ),
    "The reports, newest first": (
        "Die Berichte, die neuesten zuerst",
        "Las noticias, primero las más recientes",
    ),
    "One report, and the questions it answered": (
        "Ein Bericht und die Fragen, auf die er geantwortet hat",
        "Una noticia y las preguntas que respondió",
    ),
    "Which days the reports on something speak of": (
        "Von welchen Tagen die Berichte über etwas sprechen",
        "De qué días hablan las noticias sobre algo",
    ),
    "Questions I look out for here; you can end yours": (
        "Fragen, nach denen ich Ausschau halte; eigene lassen sich beenden",
        "Preguntas que sigo aquí; puedes terminar las tuyas",
    ),
    "What do you want to know?": ("Was möchtest du wissen?", "¿Qué quieres saber?"),
    "Only reports by this publisher": (
        "Nur Berichte dieses Mediums",
        "Solo noticias de este medio",
    ),
    "question": ("frage", "pregunta"),
    "publisher": ("medium", "medio"),
    "since": ("seit", "desde"),
    "until": ("bis", "hasta"),
    "private": ("privat", "privado"),
    "thread": ("thread", "hilo"),
    "answer": ("antwort", "respuesta"),
    "search": ("suche", "busqueda"),
    "report": ("bericht", "noticia"),
    "topic": ("thema", "tema"),
    "rebuild": ("neu-einbetten", "reconstruir"),
    "Only reports from then on: 9 March, last week …": (
        "Nur Berichte ab dann: 9 March, last week …",
        "Solo noticias desde entonces: 9 March, last week …",
    ),
    "Only reports until then: yesterday, March 2026 …": (
        "Nur Berichte bis dann: yesterday, March 2026 …",
        "Solo noticias hasta entonces: yesterday, March 2026 …",
    ),
    "Answer where a thread begins, to ask on there": (
        "Mit der Antwort einen Thread beginnen, um dort weiterzufragen",
        "Abrir un hilo con la respuesta para seguir preguntando allí",
    ),
    "The id under the answer": (
        "Die Kennung unter der Antwort",
        "El identificador bajo la respuesta",
    ),
    "Words of the title, or the publisher": (
        "Wörter des Titels oder das Medium",
        "Palabras del título, o el medio",
    ),
    "Its title": ("Sein Titel", "Su título"),
    "In a few words: Hallow Dam gate": (
        "In wenigen Worten: Hallow Dam gate",
        "En pocas palabras: Hallow Dam gate",
    ),
    "Takes in what the sources of this server's reports have new": (
        "Liest ein, was die Quellen der Berichte dieses Servers Neues haben",
        "Incorpora lo nuevo de las fuentes de las noticias de este servidor",
    ),
    "Embed every sentence again (after a change of the model)": (
        "Jeden Satz neu einbetten (nach einem Wechsel des Modells)",
        "Volver a codificar cada frase (tras cambiar de modelo)",
    ),
    "Only you see the answer": ("Nur du siehst die Antwort", "Solo tú ves la respuesta"),
}


class Translations(app_commands.Translator):
    """Translates what it knows; Discord shows the rest in English."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,  # noqa: ARG002 - the same word everywhere
    ) -> str | None:
        found = _WORDS.get(string.message)
        if found is None:
            return None
        if locale is discord.Locale.german:
            return found[_GERMAN]
        spanish = (discord.Locale.spain_spanish, discord.Locale.latin_american_spanish)
        return found[_SPANISH] if locale in spanish else None


def table() -> list[tuple[str, tuple[str, str]]]:
    """All translations, to tell whether they changed since Discord was told."""
    return sorted(_WORDS.items())
