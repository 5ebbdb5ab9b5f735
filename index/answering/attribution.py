"""Find the speaker and the act of each sentence of a report: who says it, and how.

Rules over tokens, without parser or model. The first of these patterns that yields a speaker wins
(after Pareti et al. 2013, "Automatically Detecting and Attributing Indirect Quotations"):

1. a verb of saying with its subject, which may follow it ("said Mara Voss") or be passive;
2. "according to" somebody;
3. a participle or a long quotation that belongs to the sentence's subject;
4. a sentence that is all quotation: the speaker of the previous sentence.

A pronoun is resolved to a speaker of the previous sentences. If that fails, the speaker is unknown:
no name is better than a wrong name. Rules that changed few labels in Wikinews were dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from index.answering.phrases import (
    Token,
    before_verb,
    begins_adverbial,
    is_finite,
    leading_clause,
    mask,
    phrase_ending,
    phrase_starting,
    subject,
    tokens,
)
from index.answering.speakers import PRONOUNS, People
from index.domain import Act
from index.text.sentences import MAX_SENTENCE, Span


@dataclass(frozen=True, slots=True)
class Attribution:
    """The speaker of a sentence, in the words of the text or None if unknown, and the act."""

    speaker: str | None = None
    act: Act = "report"


_ACTS: dict[Act, str] = {
    "denial": "denied denies deny denying refuted refutes refuting rebutted",
    "confirmation": "confirmed confirms confirm confirming acknowledged acknowledges"
    " acknowledging admitted admits admitting verified",
    "report": "reported found estimated",
    "claim": "said says say saying told tells telling claimed claiming alleged alleges alleging"
    " asserted asserts asserting argued argues argue arguing insisted insists insisting"
    " maintained added adding stated stating wrote writes writing tweeted tweets tweeting"
    " warned warns warning explained explains explaining noted noting announced announces"
    " announcing declared declares remarked remarks commented suggested suggests suggesting"
    " emphasized emphasised stressed stresses urged urges vowed predicted believes"
    " quipped exclaimed indicated indicates revealed reveals testified recommended replied"
    " complained conceded concedes concluded pledged expressed posting promised",
}
_ACT_OF: dict[str, Act] = {word: act for act, words in _ACTS.items() for word in words.split()}
SAYING = frozenset(word for word, act in _ACT_OF.items() if act != "report")
# Verbs of saying only beside a quotation ("called it “null and void”", not "called him").
_QUOTING = frozenset(
    "observed called calls described describes continued read reads hailed praised responded"
    " recalled characterised characterized thanked spoke posted cited addressed condemned".split()
)
# "rejected the union's claim that"; a court that "rejected the appeal" denies nothing.
_TURNED_DOWN = re.compile(
    r"(?:rejected|rejects|disputed|disputes|dismissed|dismisses)\W+(?:\w+(?:['’]s)?\W+){0,3}?"
    r"(?:that|claims?|reports?|allegations?|accusations?|suggestions?|rumou?rs?)\b"
)
_ACCORDING = re.compile(r"\b[Aa]ccording to\s+")
_NAME = re.compile(r"(?:^|\s)(?!The\b|An?\b)[A-Z]")  # "Mara Voss", "the Wire"; not "The dam"
_QUOTED_WHOLE = re.compile(r"[,:]\s*[\"“]¤{20}")  # 'took the stage: "We will rebuild it all."'
# "..., the leader of their union said on Wednesday." attributes the whole sentence that it ends.
_CLOSING = re.compile(r", [^,\"“”]+ (said|says)(?: on \w+)?\W*$")
_OPEN = frozenset(
    "if whether until before after when unless because had".split()
)  # "until he announced" is a time
_NEAR = 6  # words before a verb in which `_OPEN` counts
# "could say" and "did not deny" leave the matter open.
_UNSAID = frozenset(
    "will would could may might should must can cannot not never neither nor".split()
)
# Verbs of saying only with a clause: not "claimed three victories", "wrote the song".
_WITH_CLAUSE = frozenset("added found maintained claimed claims conceded wrote writes".split())
_NO_CLAIM = re.compile(  # "The film tells the story of a lock"; "she wrote, produced and staged it"
    r"(?:tells|telling) (?:the|a|an|his|her|its|their) (?:\w+ )?(?:story|tale)s?\b"
    r"|(?:wrote|writes), \w+ed\b"
)
_NO_SAYING = {("said", "goodbye"), ("said", "farewell"), ("adding", "to"), ("admitted", "to")}
_BACK = 8  # sentences searched for the antecedent of a pronoun
_SKIPPED = 2  # of these, how many may be about something else
_QUOTES = frozenset('"”')


@dataclass(slots=True)
class _Sentence:
    """A sentence as the reporter wrote it, and what is known of its speaker.

    Attributes:
        masked: the text with its quotations masked.
        sayings: possible speakers with their acts, the surest first.
        continues: whether it begins in a quotation that an earlier sentence opened.
        open: whether it ends inside a quotation.
        begins: whether it begins a paragraph.
        attribution: the speaker and act, once pronouns are resolved.
    """

    text: str
    masked: str
    sayings: list[tuple[Span, Act]]
    continues: bool
    open: bool
    begins: bool
    attribution: Attribution = Attribution()

    @property
    def is_quotation(self) -> bool:
        """Whether all of it is quotation."""
        return "¤" in self.masked and not re.search(r"\w", self.masked.replace("¤", ""))

    def words(self, span: Span) -> str:
        """Return the words of a span."""
        return self.text[span.start : span.end]


def annotate(text: str, spans: Sequence[Span]) -> list[Attribution]:
    """Return the attribution of each sentence of an article, in the order of the spans."""
    people = People(text)
    sentences = list(_read(text, spans))
    for n, sentence in enumerate(sentences):
        if sentence.sayings:
            sentence.attribution = _attribute(sentence, sentences[max(0, n - _BACK) : n], people)
    for first, last in _quotations(sentences):
        _give_one_speaker(sentences, first, last)
    return [sentence.attribution for sentence in sentences]


def _read(text: str, spans: Sequence[Span]) -> Iterator[_Sentence]:
    end, mark = 0, ""
    for span in spans:
        continues, begins = bool(mark), "\n" in text[end : span.start]
        if begins:  # a quotation that goes on in the next paragraph is opened again there
            continues = continues and text[span.start] in '“"'
            mark = ""
        end = span.end
        sentence = text[span.start : end][:MAX_SENTENCE]
        masked, mark = mask(sentence, mark)
        sayings = list(_sayings(sentence, masked))
        yield _Sentence(sentence, masked, sayings, continues, bool(mark), begins)


def _attribute(sentence: _Sentence, before: Sequence[_Sentence], people: People) -> Attribution:
    """Return the attribution of a sentence that names a speaker.

    Among several acts by a speaker, a denial counts: "confirmed clashes but denied that ..." is a
    sentence that may disagree with others.
    """
    span, act = sentence.sayings[0]
    phrase = sentence.words(span)
    same_speaker = {phrase, *PRONOUNS}
    if any(a == "denial" and sentence.words(s) in same_speaker for s, a in sentence.sayings):
        act = "denial"
    if phrase.lower() in PRONOUNS:
        return Attribution(_antecedent(sentence, span, before, people), act)
    return Attribution(phrase, act)


def _sayings(sentence: str, masked: str) -> Iterator[tuple[Span, Act]]:
    words = tokens(masked)
    if masked.endswith("?"):
        return  # a question says nothing
    words = words[leading_clause(words) :]  # "While the union said so, ..." is no claim
    acts = [(n, act) for n in range(len(words)) if (act := _act(masked, words, n))]
    if closing := _CLOSING.search(masked):
        acts.sort(key=lambda pair: words[pair[0]].start != closing.start(1))
    participles = [(n, act) for n, act in acts if words[n].text.endswith("ing")]
    spans = [(_speaker_of(words, n), act) for n, act in acts if (n, act) not in participles]
    for match in _ACCORDING.finditer(masked):
        after = sum(word.start < match.end() for word in words)
        spans.append((phrase_starting(words, after), "report"))
    spans += [(subject(words[:n]), act) for n, act in participles if n and words[n - 1].text == ","]
    if quoted := _QUOTED_WHOLE.search(masked):
        spans.append((subject([w for w in words if w.end <= quoted.start() + 1]), "claim"))
    for span, act in spans:
        # "an earlier version of this report said" is a correction, which quotes nobody
        if span and "version of" not in sentence[span.start : span.end]:
            yield span, act


def _act(masked: str, words: Sequence[Token], n: int) -> Act | None:
    """Return the act that word n stands for, or None if it is not a verb of saying here."""
    text = words[n].text
    if text in _QUOTING:
        return "claim" if "¤" in masked else None
    place = words[n].start
    if _TURNED_DOWN.match(masked, place):
        return "denial"
    after = words[n + 1].text if n + 1 < len(words) else ""
    # Nearly all words stand for no act, so this cheap test comes first.
    if text not in _ACT_OF or (text, after) in _NO_SAYING or _NO_CLAIM.match(masked, place):
        return None
    if text in _WITH_CLAUSE and after not in {"that", ",", ".", ":", '"', "“"}:
        clause = any(is_finite(word.text) for word in words[n + 2 :]) or "¤" in masked
        if not clause or text in {"added", "found", "maintained"}:
            return None
    end, _ = before_verb(words, n)
    before = [word.text for word in words[max(0, end) : n]]
    if before[-1:] == ["to"] and before[-2:] != ["on", "to"]:
        return None  # "refused to say", but "went on to say"
    unsaid = not _UNSAID.isdisjoint(before) or any(w.endswith(("n't", "n’t")) for w in before)
    return None if unsaid else _ACT_OF[text]


def _speaker_of(words: Sequence[Token], n: int) -> Span | None:
    """Return the subject of verb n, which may stand before or after it."""
    end, passive = before_verb(words, n)
    text, previous = words[n].text, words[n - 1].text if n else ""
    following = words[n + 1].text if n + 1 < len(words) else ""
    near = [word.text.lower() for word in words[max(0, n - _NEAR) : n]]
    if not _OPEN.isdisjoint(near) and "," not in near:
        return None
    if passive:
        return phrase_starting(words, n + 2) if following == "by" else None
    before = phrase_ending(words, end)
    after = None
    if previous in _QUOTES or (
        previous == ","
        and (text in {"said", "says"} or (following[:1].isupper() and text != "told"))
    ):
        after = phrase_starting(words, n + 1)
    if after:
        rest = sum(word.start < after.end for word in words)
        quoted = previous in _QUOTES or (n > 1 and words[n - 2].text in _QUOTES)
        closes = begins_adverbial(words, rest) or words[rest].text in {",", ".", ";"}
        # ", said Mara Voss on Monday", but "The mayor, a lawyer, said Mara Voss | had left"
        leads = before and not any(is_finite(w.text) for w in words if w.start < before.start)
        if previous in _QUOTES or (closes and (quoted or not leads)):
            return after
    quotes = any("¤" in word.text for word in words)
    if before is None and end > 0 and words[end].text == "who" and quotes:
        return phrase_ending(words, end - 1 - (words[end - 1].text == ","))
    if before is None and end >= 0 and words[end].text in {"and", "but"}:
        clauses = any(word.text in {"but", "while", "as", "that", "and"} for word in words[:end])
        return None if clauses else subject(words[:end])
    return before


def _antecedent(
    sentence: _Sentence, span: Span, before: Sequence[_Sentence], people: People
) -> str | None:
    """Return the antecedent of the pronoun in a span, or None if it is ambiguous."""
    pronoun = sentence.words(span).lower()
    words = tokens(sentence.masked)
    place = sum(word.start < span.start for word in words)
    lead = leading_clause(words)
    aside = place > lead and words[place - 1].text in {",", *_QUOTES}  # "It is not so, he said."
    own = None if aside else subject(words[bool(lead) : place])
    if own and sentence.words(own).lower() not in PRONOUNS:
        return _fitting(pronoun, sentence.words(own), sentence.masked[: span.start], people)
    if not aside and any(people.others(pronoun, sentence.masked[: span.start])):
        return None
    skipped = 0
    for previous in reversed(before):
        if previous.is_quotation:
            continue
        if previous.sayings:
            name = previous.attribution.speaker
        else:
            words = tokens(previous.masked)
            named = subject(words[leading_clause(words) :])
            name = previous.words(named) if named else None
            if name and name.lower() == pronoun:
                continue
            if pronoun in {"it", "they"}:
                return None
        if name:
            # the last speaker goes on speaking, whoever else was mentioned
            end = previous.sayings[0][0].end if previous.sayings and not skipped else None
            return _fitting(pronoun, name, previous.masked[:end], people)
        if previous.sayings or any(people.others(pronoun, previous.masked)) or skipped == _SKIPPED:
            return None
        skipped += 1
    return None


def _fitting(pronoun: str, name: str, text: str, people: People) -> str | None:
    """Return the name if a pronoun can refer to it and to nobody else in a text, else None."""
    if not people.fits(pronoun, name):
        return None
    return None if any(people.others(pronoun, text, name)) else name


def _quotations(sentences: Sequence[_Sentence]) -> Iterator[tuple[int, int]]:
    """Yield the first and last index of each run of sentences that share a quotation."""
    first = 0
    for n, sentence in enumerate(sentences):
        if n and not (sentence.continues and sentences[n - 1].open):
            yield first, n - 1
            first = n
    if sentences:
        yield first, len(sentences) - 1


def _give_one_speaker(sentences: Sequence[_Sentence], first: int, last: int) -> None:
    """Attribute the sentences that are all quotation to the speaker of their quotation.

    A quotation without a speaker has the speaker of the previous sentence; in a new paragraph, only
    if that sentence is not itself all quotation.
    """
    run = sentences[first : last + 1]
    quotations = [sentence for sentence in run if sentence.is_quotation]
    speakers = {s.attribution.speaker for s in run if s.sayings}
    if not speakers and first:
        previous = sentences[first - 1]
        goes_on = "¤" in previous.masked or previous.text.endswith(":")
        if goes_on and not (previous.is_quotation and run[0].begins):
            speakers = {previous.attribution.speaker}
    speaker = speakers.pop() if len(speakers) == 1 else None
    for sentence in quotations:
        sentence.attribution = Attribution(speaker, "claim")
