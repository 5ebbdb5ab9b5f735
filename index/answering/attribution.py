"""Who says it, and how: the speaker and the act of a sentence of news.

Rules over tokens, no parser and no model; the first of these patterns that yields a speaker wins
(families after Pareti et al. 2013, "Automatically Detecting and Attributing Indirect Quotations"):

1. a verb of saying with its subject, also turned round ("said Mara Voss") or passive;
2. "according to" somebody;
3. a participle or a long quotation that belongs to the sentence's subject;
4. a sentence that is nothing but quotation: the speaker of the sentence before, else after.

A pronoun stands for whom the sentences before name, else for nobody: silence is better than a
wrong name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from index.answering.phrases import (
    PEOPLE,
    PRONOUNS,
    Token,
    after_time,
    before_time,
    before_verb,
    mask,
    phrase_ending,
    phrase_starting,
    subject,
    tokens,
)
from index.domain import Act
from index.text.sentences import Span

LONGEST = 1_200  # code points of a sentence that are read


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who says a sentence and how; `speaker` as it stands in the text, None if unknown."""

    speaker: str | None = None
    act: Act = "report"


_ACTS: dict[Act, str] = {
    "denial": "denied denies deny denying refuted refutes refuting rebutted contradicted",
    "confirmation": "confirmed confirms confirm confirming acknowledged acknowledges"
    " acknowledging admitted admits admitting verified",
    "report": "reported reports report reporting found estimated estimates",
    "claim": "said says say saying told tells telling claimed claims claim claiming alleged"
    " alleges alleging asserted asserts asserting argued argues argue arguing insisted insists"
    " insisting maintained maintains added adds adding stated states stating wrote writes writing"
    " tweeted tweets tweeting warned warns warning explained explains explaining noted notes noting"
    " announced announces announcing declared declares remarked remarks commented suggested"
    " suggests suggesting emphasized emphasised stressed stresses urged urges vowed predicted"
    " believes observed quipped exclaimed indicated indicates revealed reveals testified"
    " recommended replied complained concluded pledged expressed voiced posting promised",
}
_ACT_OF: dict[str, Act] = {word: act for act, words in _ACTS.items() for word in words.split()}
# Verbs of saying only where what follows is quoted ("called it “null and void”", not "called him").
_QUOTING = frozenset(
    "called calls described describes continued read reads hailed praised responded recalled"
    " characterised characterized thanked spoke posted cited addressed condemned".split()
)
# A denial only of something said: a court that "rejected the appeal" denies nothing.
_TURNED_DOWN = frozenset("rejected rejects disputed disputes dismissed dismisses rejecting".split())
_SAID = re.compile(
    r"\W+(?:\w+(?:['’]s)?\W+){0,3}?(?:that|claims?|reports?|allegations?|accusations?"
    r"|suggestions?|rumou?rs?|assertions?|accounts?)\b"
)
_NOUNS_TOO = frozenset("reports claims states notes comments estimates claim report say".split())
_BEFORE_NOUN = frozenset(
    "some early initial local many several media news press varying recent other these those the"
    " a an by of in from to all any more no such his her their its amid despite after on with for"
    " contrary conflicting".split()
)
_THAT_FOLLOWS = frozenset("found reporting adds adding added maintains maintained".split())
_CLAUSE_BEGINS = frozenset('that no it he she they there this in on , . : ; " “ ” ¤'.split())
_BEHIND_VERB = frozenset("that the a an it he she they there his her no many in".split())
_REPORTED_AS = frozenset("missing dead stolen injured".split())
_WHEN = frozenset("before after when until since once if whether".split())
_DETERMINED = frozenset("the a an his her its their".split())
_MESSAGES = frozenset(", statement letter release tweet post message speech interview".split())
_ACCORDING = re.compile(r"\b[Aa]ccording to\s+")
_QUOTED_WHOLE = re.compile(r"[,:]\s*[\"“](¤+)")
_NAME = re.compile(r"(?:^|\s)(?!The\b|An?\b)[A-Z]")
_MAN = frozenset("mr spokesman chairman father brother son husband king prince man".split())
_WOMAN = frozenset("mrs ms spokeswoman mother sister daughter wife queen princess woman".split())
_OFFICE = frozenset(
    "minister president chief director leader head mayor governor secretary senator judge dr"
    " professor captain general officer spokesperson commander coach manager lawyer".split()
)
_BODY = frozenset(
    "ministry authority police union company agency government office department committee council"
    " court army navy media association party group bank university team service commission board"
    " administration parliament news organisation organization statement report".split()
)
_WHO = re.compile(r"\b(?!(?:the|of|for|and|in|at)\b)[a-z]{3,}(?: [A-Z][\w.’'-]+){2,3}(?: of\b.*)?$")
# A sentence without any of these has nobody who says it: it is not looked at any further.
_MAY_ATTRIBUTE = re.compile(
    rf"[\"“”¤]|\b(?:[Aa]ccording to|{'|'.join([*_ACT_OF, *_TURNED_DOWN])})\b"
)
_LEAST_QUOTED = 4  # spaces in a quotation that stands for a sentence
_NEAR = 6  # words before a verb in which "if" leaves open what it says
_BACK = 8  # sentences looked back for the speaker
_REPEATS = 0.8  # of a sentence: a longer "speaker" only repeats it


@dataclass(frozen=True)
class _Sentence:
    """A sentence, and the same with its quotations masked."""

    text: str
    masked: str

    @cached_property
    def attributions(self) -> list[Attribution]:
        """All that its own words tell, surest first; pronouns as they stand."""
        if not _MAY_ATTRIBUTE.search(self.masked):
            return []
        return list(_attributions(self.text, self.masked))


def annotate(text: str, spans: Sequence[Span]) -> list[Attribution]:
    """Who says each sentence of an article, and how: one attribution a span, in order."""
    sentences, end, inside = [], 0, ""
    for span in spans:
        if "\n" in text[end : span.start]:
            inside = ""  # a quotation ends with its paragraph
        end = span.end
        sentence = text[span.start : end][:LONGEST]
        masked, inside = mask(sentence, inside)
        sentences.append(_Sentence(sentence, masked))
    return [_attribute(sentences, n) for n in range(len(sentences))]


def _attribute(sentences: Sequence[_Sentence], n: int) -> Attribution:
    """Who says sentence n.

    Of several acts by one speaker a denial is returned: "confirmed clashes but denied that ..."
    is the sentence that disagrees with others.
    """
    candidates = _named(sentences[n].attributions) or [_from_neighbours(sentences, n)]
    first = candidates[0]
    denials = (a for a in candidates if a.act == "denial" and a.speaker == first.speaker)
    attribution = _resolved(next(denials, first), sentences[:n])
    speaker, whole = attribution.speaker or "", sentences[n].text
    if _is_pronoun(speaker) or (speaker in whole and len(speaker) >= _REPEATS * len(whole)):
        return replace(attribution, speaker=None)
    return attribution


def _named(attributions: list[Attribution]) -> list[Attribution]:
    """Pronouns resolved: "State media confirmed it but they denied that ..." has one speaker."""
    return [
        replace(a, speaker=attributions[0].speaker) if n and _is_pronoun(a.speaker) else a
        for n, a in enumerate(attributions)
    ]


def _attributions(sentence: str, masked: str) -> Iterator[Attribution]:
    words = tokens(masked)
    acts = [(n, act) for n in range(len(words)) if (act := _act(masked, words, n))]
    verbs = [(n, act) for n, act in acts if not words[n].text.endswith("ing")]
    if len(verbs) > 1 and _closes(words, verbs[-1][0]):
        verbs = [verbs[-1], *verbs[:-1]]
    spans = [(_speaker_of(words, n), act) for n, act in verbs]
    for at in _ACCORDING.finditer(masked):
        first = next((n for n, word in enumerate(words) if word.start >= at.end()), len(words))
        spans.append((phrase_starting(words, first), "report"))
    participles = [(n, act) for n, act in acts if n and words[n].text.endswith("ing")]
    spans += [(_participle_of(words, n), act) for n, act in participles]
    quoted = _QUOTED_WHOLE.search(masked)
    if quoted and sentence[quoted.start(1) : quoted.end(1)].count(" ") >= _LEAST_QUOTED:
        spans.append((subject([w for w in words if w.end <= quoted.start() + 1]), "claim"))
    for span, act in spans:
        if span and "version of" not in sentence[span.start : span.end]:
            yield Attribution(sentence[span.start : span.end], act)


def _closes(words: Sequence[Token], n: int) -> bool:
    """Whether ", the leader of their union said on Wednesday." closes the sentence at verb n."""
    rest = [word for word in words[n + 1 :] if word.text not in {".", '"', "”"}]
    if after_time(rest, len(rest) - 1) >= 0 or words[n].text not in {"said", "says"}:
        return False
    span = phrase_ending(words, before_verb(words, n)[0])
    return span is not None and any(
        word.text == "," and word.end + 1 == span.start for word in words
    )


def _act(masked: str, words: Sequence[Token], n: int) -> Act | None:
    """The act that word n stands for, or None when it is no verb of saying here."""
    text = words[n].text
    if text in _QUOTING:
        return "claim" if re.search(r"[\"“]", masked[words[n].end :]) else None
    if text in _TURNED_DOWN:
        return "denial" if _SAID.match(masked, words[n].end) else None
    act = _ACT_OF.get(text)
    if act is None or (text in _NOUNS_TOO and not _is_verb(words, n)):
        return None
    if text in _THAT_FOLLOWS and n + 1 < len(words) and words[n + 1].text not in _CLAUSE_BEGINS:
        return None  # "found its way", "adds volleyball to the mix", "reporting to the board"
    after = words[n + 1].text if n + 1 < len(words) else ""
    if after in _REPORTED_AS or (text == "reported" and after in {"this", "it", "them"}):
        return None  # the bank that "reported this one" to the police tells nobody else
    # "did not confirm" and "could not say" leave the matter open; "did not deny" too.
    near = [word.text for word in words[max(0, n - 3) : n]]
    negated = any(w in {"not", "never", "neither", "nor"} or w.endswith("n't") for w in near)
    return None if negated and act != "report" else act


def _is_verb(words: Sequence[Token], n: int) -> bool:
    """Whether "reports", "claims", "states" is a verb: a subject before and an object after."""
    before = words[n - 1].text if n else ""
    after = words[n + 1].text if n + 1 < len(words) else ""
    if not before or before.lower() in _BEFORE_NOUN or not (before[-1].isalnum() or before in "),"):
        return False
    return after in _BEHIND_VERB or after[:1].isupper() or after[:1] in {*'“"0123456789'}


def _speaker_of(words: Sequence[Token], n: int) -> Span | None:
    """The subject of verb n: behind it when turned round, else before it."""
    end, passive = before_verb(words, n)
    previous = words[n - 1].text if n else ""
    if passive:
        by = n + 1 < len(words) and words[n + 1].text == "by" and words[n].text != "found"
        open_ = any(word.text in _WHEN for word in words[max(0, n - _NEAR) : n])
        return phrase_starting(words, n + 2) if by and not open_ else None
    if previous in {",", '"', "”"} and words[n].text not in {"told", "tells"}:
        turned = phrase_starting(words, n + 1)
        if turned and (previous != "," or _turned_round(words, n, turned.end)):
            return turned
    if end < 0 or words[end].text in {'"', "”"}:
        return None
    span = phrase_ending(words, end)
    if span and any(w.text in _WHEN and w.end + 1 == span.start for w in words):
        return None  # "until he announced ..." tells when, not who says so
    return subject(words) if span is None and words[end].text in {"and", "but"} else span


def _turned_round(words: Sequence[Token], n: int, end: int) -> bool:
    """Whether ", said Mara Voss" stands for "Mara Voss said": somebody, and the clause ends.

    "Roscosmos, the space agency, announced the death of ..." has an object there instead.
    """
    if words[n].text not in {"said", "says"} and words[n + 1].text in _DETERMINED:
        return False
    rest = next((k for k, word in enumerate(words) if word.start >= end), len(words))
    return before_time(words, rest) or words[rest].text in {",", ".", ";"}


def _participle_of(words: Sequence[Token], n: int) -> Span | None:
    """Whose participle word n is: its own subject after "with", else the sentence's."""
    previous = words[n - 1].text
    if n > 1 and previous == "as" and words[n - 2].text == "quoted":
        return phrase_ending(words, before_verb(words, n - 2)[0])
    span = phrase_ending(words, n - 1) if previous[-1].isalnum() else None
    if span and any(word.text == "with" and word.end + 1 == span.start for word in words):
        return span
    return subject(words) if previous in _MESSAGES else None


def _is_pronoun(phrase: str | None) -> bool:
    return phrase is not None and phrase.lower() in PRONOUNS


def _resolved(attribution: Attribution, before: Sequence[_Sentence]) -> Attribution:
    """Replace a pronoun by the phrase it stands for, or by None."""
    if attribution.speaker is None or not _is_pronoun(attribution.speaker):
        return attribution
    pronoun = attribution.speaker.lower()
    speaks = pronoun in {"i", "we", "you"}
    return replace(attribution, speaker=None if speaks else _antecedent(pronoun, before))


def _antecedent(pronoun: str, before: Sequence[_Sentence]) -> str | None:
    """The speaker, else the named subject, of the nearest sentence before that has one.

    Only if it fits. A name tells nothing of who bears it, an office or a body does: "she" is
    no spokesman and no ministry, "it" no minister.
    """
    for sentence in reversed(before[-_BACK:]):
        first = next(iter(sentence.attributions), None)
        if first is not None:
            if not _is_pronoun(first.speaker):
                return first.speaker if _fits(pronoun, first.speaker or "") else None
            continue
        span = subject(tokens(sentence.masked))
        name = sentence.text[span.start : span.end] if span else ""
        if _NAME.search(name) and not _is_pronoun(name):
            return name if _fits(pronoun, name) else None
    return None


def _fits(pronoun: str, phrase: str) -> bool:
    """Whether a pronoun can stand for a phrase, as far as its words tell."""
    words = set(re.findall(r"[a-z]+", phrase.lower()))
    if pronoun == "it":
        return not words & (_MAN | _WOMAN | _OFFICE)
    if pronoun == "they":
        return True
    if words & (_WOMAN if pronoun == "he" else _MAN):
        return False
    if phrase.islower() and not words & (_MAN | _WOMAN | _OFFICE):
        return False  # "another drug"
    last = phrase.rsplit(maxsplit=1)[-1]
    several = last.endswith("s") and (last.islower() or last.lower() in PEOPLE)
    somebody = words & (_MAN | _WOMAN | _OFFICE) or _WHO.search(phrase)
    return bool(somebody) or not (words & _BODY or several)


def _from_neighbours(sentences: Sequence[_Sentence], n: int) -> Attribution:
    """Pattern 4: the speaker of a sentence that is nothing but quotation."""
    masked = sentences[n].masked
    if "¤" not in masked or re.search(r"\w", masked.replace("¤", "")):
        return Attribution()
    for k in range(n - 1, max(-1, n - 1 - _BACK), -1):
        previous = sentences[k]
        if previous.attributions and "¤" in previous.masked:
            return replace(_resolved(previous.attributions[0], sentences[:k]), act="claim")
        if "¤" not in previous.masked:
            break
    following = sentences[n + 1] if n + 1 < len(sentences) else None
    if following and following.attributions and "¤" not in following.masked:
        return replace(_resolved(following.attributions[0], sentences[:n]), act="claim")
    return Attribution(act="claim")
