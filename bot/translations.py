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
    "add": ("hinzufügen", "añadir"),
    "sources": ("quellen", "fuentes"),
    "pause": ("anhalten", "pausar"),
    "resume": ("fortsetzen", "reanudar"),
    "remove": ("entfernen", "quitar"),
    "restore": ("zurückholen", "restaurar"),
    "correct": ("berichtigen", "corregir"),
    "retract": ("zurückziehen", "retirar"),
    "undo": ("rückgängig", "deshacer"),
    "history": ("verlauf", "historial"),
    "export": ("exportieren", "exportar"),
    "erase-all": ("alles-löschen", "borrar-todo"),
    "Add to the reports": ("Zu den Berichten hinzufügen", "Añadir a las noticias"),
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
    "Adds reports: a page or a feed by its address, or files": (
        "Fügt Berichte hinzu: eine Seite oder einen Feed als Adresse, oder Dateien",
        "Añade noticias: una página o un canal por su dirección, o archivos",
    ),
    "Takes a report out; old answers keep their quotes": (
        "Nimmt einen Bericht heraus; alte Antworten behalten ihre Zitate",
        "Quita una noticia; las respuestas anteriores conservan sus citas",
    ),
    "Brings a removed report back": (
        "Holt einen entfernten Bericht zurück",
        "Recupera una noticia quitada",
    ),
    "Marks a report as corrected; its quotes then say so": (
        "Vermerkt eine Berichtigung; Zitate des Berichts weisen darauf hin",
        "Marca una noticia como corregida; sus citas lo indican",
    ),
    "Takes a report out and says why under answers that quote it": (
        "Zieht einen Bericht zurück und sagt unter Antworten, die ihn zitieren, warum",
        "Retira una noticia e indica el motivo en las respuestas que la citan",
    ),
    "Makes the reports what they were after an earlier change": (
        "Stellt den Stand nach einer früheren Änderung wieder her",
        "Devuelve las noticias al estado posterior a un cambio anterior",
    ),
    "Who changed what in the reports, and when": (
        "Wer wann was an den Berichten geändert hat",
        "Quién cambió qué en las noticias, y cuándo",
    ),
    "All reports as a file that can be added elsewhere": (
        "Alle Berichte als Datei, die sich anderswo hinzufügen lässt",
        "Todas las noticias en un archivo que puede añadirse en otro lugar",
    ),
    "Deletes all reports and answers for good": (
        "Löscht alle Berichte und Antworten endgültig",
        "Borra para siempre todas las noticias y respuestas",
    ),
    "Where reports come from": ("Woher Berichte kommen", "De dónde vienen las noticias"),
    "Where I look for reports, how often, and what fails": (
        "Wo ich wie oft nach Berichten sehe, und was dabei scheitert",
        "Dónde busco noticias, con qué frecuencia y qué falla",
    ),
    "Looks into a page or feed regularly from now on": (
        "Sieht von nun an regelmäßig in eine Seite oder einen Feed",
        "Consulta una página o un canal con regularidad desde ahora",
    ),
    "Does not look into a source until it is resumed": (
        "Sieht in eine Quelle nicht mehr, bis sie fortgesetzt wird",
        "No consulta una fuente hasta que se reanude",
    ),
    "Looks into a paused source again": (
        "Sieht wieder in eine angehaltene Quelle",
        "Vuelve a consultar una fuente pausada",
    ),
    "Forgets a source; its reports stay": (
        "Vergisst eine Quelle; ihre Berichte bleiben",
        "Olvida una fuente; sus noticias se quedan",
    ),
    "address": ("adresse", "direccion"),
    "note": ("hinweis", "nota"),
    "change": ("änderung", "cambio"),
    "source": ("quelle", "fuente"),
    "every": ("wie-oft", "frecuencia"),
    "dry-run": ("probelauf", "simulacro"),
    "quarter-hourly": ("viertelstündlich", "cada-cuarto-de-hora"),
    "hourly": ("stündlich", "cada-hora"),
    "six-hourly": ("sechsstündlich", "cada-seis-horas"),
    "daily": ("täglich", "diario"),
    "weekly": ("wöchentlich", "semanal"),
    "manually": ("von-hand", "manual"),
    "Text, PDF, Word, HTML, JSON lines, or a zip of these": (
        "Text, PDF, Word, HTML, JSON-Zeilen oder ein Zip davon",
        "Texto, PDF, Word, HTML, líneas JSON, o un zip de ellos",
    ),
    "Only tell what would be done": (
        "Nur sagen, was geschehen würde",
        "Solo decir qué se haría",
    ),
    "What is wrong, and what is right": (
        "Was falsch ist, und was richtig",
        "Qué es incorrecto y qué es correcto",
    ),
    "Why it is retracted": ("Warum er zurückgezogen wird", "Por qué se retira"),
    "The last change that is to stand": (
        "Die letzte Änderung, die bleiben soll",
        "El último cambio que debe quedar",
    ),
    "Of a feed or a page": ("Eines Feeds oder einer Seite", "De un canal o una página"),
    "How often; manually: only on /reindex": (
        "Wie oft; von Hand: nur bei /reindex",
        "Con qué frecuencia; manual: solo con /reindex",
    ),
    "Its address": ("Ihre Adresse", "Su dirección"),
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
_WORDS |= {
    f"file{number}": (f"datei{number}", f"archivo{number}") for number in ("", *range(2, 11))
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
