"""Find the speaker and the act of each sentence of a report: who says it, and how.

Rules over tokens, without parser or model; the first of these patterns that yields a speaker wins
(families after Pareti et al. 2013, "Automatically Detecting and Attributing Indirect Quotations"):

1. a verb of saying with its subject, also inverted ("said Mara Voss") or passive;
2. "according to" somebody;
3. a participle or a long quotation that belongs to the sentence's subject;
4. a sentence that is all quotation: the speaker of the sentence before.

A pronoun stands for the speaker that the sentences before name, else the speaker is unknown: no
name is better than a wrong one. Rules that changed few labels of Wikinews sentences were dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from index.answering.phrases import (
    PRONOUNS,
    Token,
    before_verb,
    begins_adverbial,
    mask,
    phrase_ending,
    phrase_starting,
    subject,
    tokens,
)
from index.domain import Act
from index.text.sentences import MAX_SENTENCE, Span


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who says a sentence, and how; `speaker` is in the words of the text, None if unknown."""

    speaker: str | None = None
    act: Act = "report"


_ACTS: dict[Act, str] = {
    "denial": "denied denies deny denying refuted refutes refuting rebutted contradicted",
    "confirmation": "confirmed confirms confirm confirming acknowledged acknowledges"
    " acknowledging admitted admits admitting verified",
    "report": "reported found estimated",
    "claim": "said says say saying told tells telling claimed claiming alleged"
    " alleges alleging asserted asserts asserting argued argues argue arguing insisted insists"
    " insisting maintained added adding stated stating wrote writes writing"
    " tweeted tweets tweeting warned warns warning explained explains explaining noted noting"
    " announced announces announcing declared declares remarked remarks commented suggested"
    " suggests suggesting emphasized emphasised stressed stresses urged urges vowed predicted"
    " believes observed quipped exclaimed indicated indicates revealed reveals testified"
    " recommended replied complained concluded pledged expressed voiced posting promised",
}
_ACT_OF: dict[str, Act] = {word: act for act, words in _ACTS.items() for word in words.split()}
SAYING = frozenset(word for word, act in _ACT_OF.items() if act != "report")
# Verbs of saying only beside a quotation ("called it “null and void”", not "called him").
_QUOTING = frozenset(
    "called calls described describes continued read reads hailed praised responded recalled"
    " characterised characterized thanked spoke posted cited addressed condemned".split()
)
# "rejected the union's claim that"; a court that "rejected the appeal" denies nothing.
_TURNED_DOWN = re.compile(
    r"(?:rejected|rejects|disputed|disputes|dismissed|dismisses)\W+(?:\w+(?:['’]s)?\W+){0,3}?"
    r"(?:that|claims?|reports?|allegations?|accusations?|suggestions?|rumou?rs?)\b"
)
_ACCORDING = re.compile(r"\b[Aa]ccording to\s+")
_NAME = re.compile(r"(?:^|\s)(?!The\b|An?\b)[A-Z]")  # "Mara Voss", "the Wire"; not "The dam"
_QUOTED_WHOLE = re.compile(r"[,:]\s*[\"“]¤{20}")  # 'took the stage: "We will rebuild it all."'
# "..., the leader of their union said on Wednesday." closes a sentence that it all belongs to.
_CLOSING = re.compile(r", [^,\"“”]+ (said|says)(?: on \w+)?\W*$")
_OPEN = frozenset("if whether until before when".split())  # "until he announced" gives a time
_NEAR = 6  # words before a verb in which `_OPEN` counts
_BACK = 8  # sentences searched for the speaker of a quotation, and as many more for a pronoun
_MEN = frozenset("mr spokesman chairman father brother son husband king prince man".split())
_WOMEN = frozenset("mrs ms spokeswoman mother sister daughter wife queen princess woman".split())
_BODIES = frozenset(
    "ministry authority police union company agency government department committee council court"
    " army media party university commission officials authorities researchers residents".split()
)
# Words of a phrase that a pronoun cannot stand for.
_MISFITS = {
    "he": _WOMEN | _BODIES,
    "she": _MEN | _BODIES,
    "it": _MEN | _WOMEN | {"minister", "president", "chief", "director", "mayor", "dr", "officer"},
}


@dataclass(frozen=True)
class _Sentence:
    """A sentence, its text with quotations masked, and its attributions.

    `attributions` are surest first, with pronouns unresolved.
    """

    text: str
    masked: str
    attributions: list[Attribution]

    @property
    def speaker_or_subject(self) -> str:
        """The person or body that a later pronoun may stand for; "" if there is none."""
        if self.attributions:
            return self.attributions[0].speaker or ""
        span = subject(tokens(self.masked))
        name = self.text[span.start : span.end] if span else ""
        return name if _NAME.search(name) else ""


def annotate(text: str, spans: Sequence[Span]) -> list[Attribution]:
    """Return who says each sentence of an article, and how: one attribution per span."""
    sentences: list[_Sentence] = []
    annotated, end, inside = [], 0, ""
    for span in spans:
        if "\n" in text[end : span.start]:
            inside = ""  # a quotation ends with its paragraph
        end = span.end
        sentence = text[span.start : end][:MAX_SENTENCE]
        masked, inside = mask(sentence, inside)
        sentences.append(_Sentence(sentence, masked, list(_attributions(sentence, masked))))
        annotated.append(_attribute(sentences[-2 * _BACK :]))
    return annotated


def _attribute(sentences: Sequence[_Sentence]) -> Attribution:
    """Who says the last sentence.

    Of several acts by one speaker the denial counts: "confirmed clashes but denied that ..." is
    a sentence that disagrees with others.
    """
    *before, sentence = sentences
    if not sentence.attributions:
        return _of_quotation(sentence, before)
    first = sentence.attributions[0]
    speakers = {first.speaker, *PRONOUNS}
    if any(a.act == "denial" and a.speaker in speakers for a in sentence.attributions):
        first = replace(first, act="denial")
    return _resolved(first, before)


def _attributions(sentence: str, masked: str) -> Iterator[Attribution]:
    words = tokens(masked)
    acts = [(n, act) for n in range(len(words)) if (act := _act(masked, words, n))]
    if closing := _CLOSING.search(masked):
        acts.sort(key=lambda pair: words[pair[0]].start != closing.start(1))
    participles = [(n, act) for n, act in acts if words[n].text.endswith("ing")]
    spans = [(_speaker_of(words, n), act) for n, act in acts if (n, act) not in participles]
    for match in _ACCORDING.finditer(masked):
        first = sum(word.start < match.end() for word in words)
        spans.append((phrase_starting(words, first), "report"))
    spans += [(subject(words), act) for n, act in participles if n and words[n - 1].text == ","]
    if quoted := _QUOTED_WHOLE.search(masked):
        spans.append((subject([w for w in words if w.end <= quoted.start() + 1]), "claim"))
    for span, act in spans:
        # "an earlier version of this report said" is a correction, which quotes nobody
        if span and "version of" not in sentence[span.start : span.end]:
            yield Attribution(sentence[span.start : span.end], act)


def _act(masked: str, words: Sequence[Token], n: int) -> Act | None:
    """The act that word n stands for, or None if it is not a verb of saying here."""
    text = words[n].text
    if text in _QUOTING:
        return "claim" if "¤" in masked else None
    if _TURNED_DOWN.match(masked, words[n].start):
        return "denial"
    after = words[n + 1].text if n + 1 < len(words) else ""
    if text in {"added", "found", "maintained"} and after not in {"that", ",", ".", '"', "“"}:
        return None  # "found its way", "added volleyball to the mix"
    # "did not confirm" and "could not say" leave the matter open; "did not deny" too.
    near = [word.text for word in words[max(0, n - 3) : n]]
    negated = any(w in {"not", "never", "neither", "nor"} or w.endswith("n't") for w in near)
    return None if negated else _ACT_OF.get(text)


def _speaker_of(words: Sequence[Token], n: int) -> Span | None:
    """The subject of verb n: after it if the two are inverted, else before it."""
    end, passive = before_verb(words, n)
    text, previous = words[n].text, words[n - 1].text if n else ""
    following = words[n + 1].text if n + 1 < len(words) else ""
    if any(word.text in _OPEN for word in words[max(0, n - _NEAR) : n]):
        return None
    if passive:
        return phrase_starting(words, n + 2) if following == "by" else None
    if previous in {'"', "”"} or (
        previous == ","
        and (text in {"said", "says"} or (following[:1].isupper() and text != "told"))
    ):
        inverted = phrase_starting(words, n + 1)
        rest = sum(word.start < inverted.end for word in words) if inverted else 0
        # ", said Mara Voss on Monday", but ", said Mara Voss | had left"
        closes = begins_adverbial(words, rest) or words[rest].text in {",", ".", ";"}
        if inverted and (closes or previous != ","):
            return inverted
    span = phrase_ending(words, end)
    return subject(words) if not span and words[end].text in {"and", "but"} else span


def _resolved(attribution: Attribution, before: Sequence[_Sentence]) -> Attribution:
    """Replace a pronoun by the nearest speaker or named subject before if it fits, else by None.

    Any name may fit, but not any office or body: "she" is not a spokesman or a ministry, "it" not
    a minister.
    """
    pronoun = (attribution.speaker or "").lower()
    if pronoun not in PRONOUNS:
        return attribution
    phrases = (sentence.speaker_or_subject for sentence in reversed(before[-_BACK:]))
    speaker = next((p for p in phrases if p and p.lower() not in PRONOUNS), "")
    fits = may_mean(pronoun, speaker)
    if pronoun in {"i", "we", "you", "there"} or (pronoun in {"he", "she"} and speaker.islower()):
        fits = False
    return replace(attribution, speaker=speaker if speaker and fits else None)


def may_mean(pronoun: str, name: str) -> bool:
    """Whether "he", "she" or "it" may stand for a phrase: "she" for no ministry or spokesman."""
    return _MISFITS.get(pronoun, frozenset()).isdisjoint(name.lower().split())


def _of_quotation(sentence: _Sentence, before: Sequence[_Sentence]) -> Attribution:
    """Pattern 4: the speaker of a sentence that is all quotation."""
    if "¤" not in sentence.masked or re.search(r"\w", sentence.masked.replace("¤", "")):
        return Attribution()
    for n, previous in reversed(list(enumerate(before))[-_BACK:]):
        if "¤" not in previous.masked:
            break
        if previous.attributions:
            return replace(_resolved(previous.attributions[0], before[:n]), act="claim")
    return Attribution(act="claim")
