"""Correct the spelling of a question by the vocabulary of the reports."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from index.encoder import common_words
from index.ranking.query import Query, words
from index.store.protocol import Snapshot
from index.text.terms import terms

_LEAST_LETTERS = 4  # too many shorter words are one edit apart
_TWO_EDITS = 8  # letters: so long a word may be two edits away from its correction
_STEMS, _EXAMPLES = 3, 8  # terms considered, and sentences searched for words that have them


def corrected(query: Query, snapshot: Snapshot) -> str:
    """Return the question with misspelt words replaced by the nearest word in the reports.

    A word is misspelt if it is neither in the reports nor a common English word. Capitalised names
    stay as they are: a similar name is somebody else's. So do hyphenated words, and a question in
    another language, whose inflected forms ("wie viel") would be taken for
    misspellings ("wie vier").

    Of 50 questions on 765 reports with two misspellings each, correction raises those whose right
    sentence is among the first twelve from 37 to 47, as many as without misspellings.
    """
    question = query.question
    if not query.english:
        return question
    known = snapshot.document_frequencies(query.terms)
    for term in query.terms:
        if term in known or term in query.names or term in query.source_terms:
            continue
        written = next((word for word in words(question) if terms(word) == [term]), None)
        if written is None or written.lower() in common_words():  # None: a part of "semi-final"
            continue
        if not (nearest := _nearest(snapshot, term, written)):
            continue
        question = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", nearest, question)
    return question


def _nearest(snapshot: Snapshot, term: str, written: str) -> str | None:
    """Return the word of the reports nearest to a misspelt word; among equals, the most frequent.

    An edit adds, drops or changes a letter, or swaps it with the next (optimal string alignment).
    Common words are compared as written, other words as terms, in the form the collection indexes
    them. None if no word is near.
    """
    if len(term) < _LEAST_LETTERS or not term.isalpha():
        return None
    lower = written.lower()
    edits = 2 if len(lower) >= _TWO_EDITS else 1
    common = {word: terms(word)[0] for word in _within(edits, lower, common_words())}
    frequencies = snapshot.document_frequencies({*common.values()})
    counts = {word: frequencies[stem] for word, stem in common.items() if stem in frequencies}
    vocabulary = snapshot.vocabulary(term[0])  # the first letter is seldom wrong
    for stem in sorted(_within(edits, term, vocabulary), key=lambda s: -vocabulary[s])[:_STEMS]:
        sentences = snapshot.rows(snapshot.lexical([stem], _EXAMPLES).ids.tolist()).sentences
        forms = {word for s in sentences for word in words(s.text) if terms(word) == [stem]}
        counts |= dict.fromkeys(forms, vocabulary[stem])
    return min(counts, key=lambda w: (OSA.distance(w.lower(), lower), -counts[w], w), default=None)


def _within(edits: int, text: str, choices: Iterable[str]) -> list[str]:
    """Return the choices at most so many edits away from a text, in alphabetical order."""
    near = process.extract(text, [*choices], scorer=OSA.distance, score_cutoff=edits, limit=None)
    return sorted(choice for choice, _, _ in near)
