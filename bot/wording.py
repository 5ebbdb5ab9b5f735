"""The few words of the bot's own that stand around quotes: who says them, how reports relate."""

from __future__ import annotations

from index.article import Act, Answer, CitedQuote

_MANNER: dict[Act, str] = {"denial": ", denying it:", "confirmation": ", confirming it:"}


def speaker_line(cited: CitedQuote) -> str | None:
    """Who says a quote, as the report names them; None where that is unknown."""
    if cited.speaker is None:
        return None
    named = " ".join(cited.speaker.split())
    return named[0].upper() + named[1:] + _MANNER.get(cited.act, ":")


def story_line(answer: Answer) -> str | None:
    """How many reports stand behind an answer, and whether they agree; None if there is one."""
    parts = []
    if len(answer.citations) > 1:
        parts.append(f"{len(answer.citations)} reports, {answer.independent} independent.")
    if answer.agreement:
        sides = [
            {answer.quotes[n].citation for n in side.quotes} for side in answer.agreement.sides
        ]
        within = len(set().union(*sides)) == 1
        parts.append(
            {
                "agree": "Independent reports say the same.",
                "disagree": "Those quoted disagree." if within else "The reports disagree.",
                "updated": "Earlier and later reports.",
            }[answer.agreement.kind]
        )
    return " ".join(parts) or None
