"""Sentences that agree with, contradict or update one another, and answers with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.answering.agreement import agreement, voice
from index.answering.attribution import annotate
from index.answering.conflicts import Relation, Statement, relate, same_speaker
from index.domain import Agreement, Article, Passage, Sentence, Side
from index.text.sentences import split

ENTERED = "Did the rebels enter Ostby?"
DEAD = "How many people were killed in the Ostby fire?"
COST = "What did the bridge over the Vik cost?"
CLAIM = "Rebels entered the city of Ostby on foot."
DENIAL = "State media denied that rebels had entered the city of Ostby."
FEW = "The fire in Ostby killed 12 people."
MANY = "In Ostby 39 people were killed by the fire."
LEAD = "Lund and Adell in Norland are near."  # names that both articles begin with


def passage(text: str, publisher: str, day: int = 1, first: int = 0, last: int = 0) -> Passage:
    """Return sentences `first` to `last` of an article, annotated as the archive does it."""
    article = Article(
        article_id=publisher + str(day),
        title="",
        text=text,
        publisher=publisher,
        published=datetime(2024, 5, day, tzinfo=UTC),
    )
    spans = split(text)
    sentences = tuple(
        Sentence(
            n, article.article_id, 1, n, s.start, s.end, text[s.start : s.end], a.speaker, a.act
        )
        for n, (s, a) in enumerate(zip(spans, annotate(text, spans), strict=True))
    )[first : last + 1]
    return Passage(article, sentences, sentences[0], 1.0)


def statement(text: str, publisher: str = "Wire", day: int = 1) -> Statement:
    """Return a sentence after the lead of an article."""
    one = passage(f"{LEAD}\n{text}", publisher, day, 1, 1)
    return Statement(one.article, one.best)


def kind(question: str, a: str, b: str, publisher: str = "Courier", day: int = 1) -> str | None:
    """Return the kind of relation, which must not depend on the order of the sentences."""
    one, other = statement(a), statement(b, publisher, day)
    relation, turned = relate(question, one, other), relate(question, other, one)
    assert (relation and relation.kind) == (turned and turned.kind)
    return relation.kind if relation else None


@pytest.mark.parametrize(
    ("question", "a", "b"),
    [
        (ENTERED, CLAIM, DENIAL),
        (ENTERED, "The rebels entered Ostby on Monday.", "The rebels did not enter Ostby."),
        (
            "Were managers warned of the gate?",
            "Crews warned managers of the gate.",
            "“No warning of the gate reached managers.”",
        ),
        (DEAD, FEW, MANY),
        (COST, "The bridge cost 12 million crowns.", "The bridge cost 19 million crowns."),
    ],
)
def test_contradictions(question: str, a: str, b: str) -> None:
    """A denial, a negation and another number contradict, whichever sentence comes first."""
    assert kind(question, a, b) == "disagree"


@pytest.mark.parametrize(
    ("question", "a", "b"),
    [
        # counts that can both be true
        (DEAD, FEW.replace("12", "at least 12"), MANY),
        # another number is denied than the one that is given
        (
            "Will the dam move people?",
            "The dam will move 110,000 people.",
            "They denied that the dam will move 240,000 people.",
        ),
        # the dead are asked for, not who was hurt
        (DEAD, "The fire in Ostby wounded 120 people.", "The fire in Ostby wounded 12 people."),
        # other days, other places
        (DEAD, f"In May 2019, {MANY}", f"In June 2020, {FEW}"),
        (DEAD, "The fire in Vik Street killed 39 people.", FEW),
        # an appeal that is denied, a claim at a distance, two denials, a purpose
        (ENTERED, "Rebels asked to enter Ostby.", "Rebels were denied entry to Ostby."),
        (ENTERED, "Rebels allegedly entered the city of Ostby.", DENIAL),
        (ENTERED, "No rebels entered Ostby.", DENIAL),
        (ENTERED, "Guards shut the gate so rebels would not enter Ostby.", "Rebels entered Ostby."),
        # arson is denied, not the fire
        (
            "Was there a fire in Ostby?",
            "A fire broke out in Ostby on Monday night.",
            "Police denied arson after a fire broke out in Ostby on Monday night.",
        ),
    ],
)
def test_no_false_alarm(question: str, a: str, b: str) -> None:
    """Sentences that only look like a contradiction are not called one."""
    assert kind(question, a, b) is None


@pytest.mark.parametrize(
    ("first", "second", "publisher", "day", "expected"),
    [
        (FEW, MANY, "Courier", 3, "updated"),  # later and larger
        (MANY, FEW, "Wire", 3, "updated"),  # the same publisher's
        (FEW, MANY, "Courier", 1, "disagree"),
        (MANY, FEW, "Courier", 3, "disagree"),  # deaths do not shrink
    ],
)
def test_counts_in_time(first: str, second: str, publisher: str, day: int, expected: str) -> None:
    """A larger later count, or a new count by the same publisher, is an update."""
    assert kind(DEAD, first, second, publisher, day) == expected


@pytest.mark.parametrize(
    ("denial", "near", "expected"),
    [
        ("State media denied that the rebels had breached the city.", 0.8, "disagree"),
        ("State media denied that the rebels had breached the city.", 0.5, None),
        ("State media denied that the mayor had fled abroad.", 0.8, None),
        ("State media denied a breach, and praised the city.", 0.8, None),
    ],
)
def test_a_denial_in_other_words(denial: str, near: float, expected: str | None) -> None:
    """A denied statement is a contradiction in other words, too, if the sentences are close."""
    claim = replace(statement("Rebels have reportedly entered the city."), vector=np.eye(2)[0])
    vector = np.array([near, (1 - near**2) ** 0.5])
    relation = relate(ENTERED, claim, replace(statement(denial, "Courier"), vector=vector))
    assert (relation and relation.kind) == expected


@pytest.mark.parametrize("question", [DEAD, DEAD.lower()])
@pytest.mark.parametrize(("place", "expected"), [("Ostby", "updated"), ("Karby", None)])
def test_counts_of_two_events(question: str, place: str, expected: str | None) -> None:
    """A count updates another only if both reports have the place that the question names."""
    fires = [
        passage(f"{LEAD}\nIt began in {where}.\nThe fire killed {dead} people.", outlet, day, 2, 2)
        for where, dead, outlet, day in (("Ostby", 12, "Wire", 1), (place, 39, "Courier", 3))
    ]
    relation = relate(question, *(Statement(fire.article, fire.best) for fire in fires))
    assert (relation and relation.kind) == expected


def test_a_correction_updates_what_it_corrects() -> None:
    """A publisher's correction updates its own earlier sentence, and nobody else's."""
    before = statement("The inquiry will be led by retired judge Ada Brun, the ministry said.")
    text = "Correction: an earlier report said the inquiry would be led by retired judge Ada Brun."
    assert relate("Who leads it?", statement(text, "Wire", 2), before) == Relation("updated", 0)
    assert relate("Who leads it?", statement(text, "Courier", 2), before) is None


def test_only_independent_articles_agree() -> None:
    """Similar wording is agreement between publishers, not within one or with a rewrite."""
    a = "Prosecutors in Norland have dropped the fraud inquiry against ferry owner Olaf Brun."
    b = "Norland has dropped its fraud inquiry against ferry owner Olaf Brun, prosecutors say."
    question = "Has Norland dropped the inquiry?"
    assert kind(question, a, b) == "agree"
    assert kind(question, a, b, publisher="Wire", day=2) is None
    assert kind(question, a, b.replace("has dropped", "has not dropped")) != "agree"
    assert kind(question, a, f"{b[:-1]}, the Wire reported.") is None
    one, other = passage(f"{LEAD} {a}", "Wire", 1, 1, 1), passage(f"{LEAD} {b}", "Courier", 1, 1, 1)
    assert agreement(question, [one, other]) == (Agreement("agree", (Side((0, 1)),)), frozenset())
    copied = " The lawyer of the ferry owner asked for all his files back before the end of winter."
    assert kind(question, a + copied * 2, b + copied * 2) is None


def test_claim_and_denial_are_two_sides_with_speakers() -> None:
    """A denial is the second side, and each side has its speaker."""
    claim = passage(f"The rebels said they had entered the city of Ostby. {LEAD}", "Wire")
    denial = passage(f"{DENIAL} {LEAD}", "Courier")
    sides = (Side((1,), "The rebels"), Side((0,), "State media"))
    assert agreement(ENTERED, [denial, claim]) == (Agreement("disagree", sides), frozenset({0}))


def test_a_relation_is_about_one_passage() -> None:
    """Passages that disagree count only if the passage in question is among them."""
    claim = passage(f"The rebels said they had entered the city of Ostby. {LEAD}", "Wire")
    denial = passage(f"{DENIAL} {LEAD}", "Courier")
    other = passage(f"It rained in Ostby all day. {LEAD}", "Star")
    chosen = [other, claim, denial]
    disagree = Agreement("disagree", (Side((1,), "The rebels"), Side((2,), "State media")))
    assert agreement(ENTERED, chosen, about=1) == (disagree, frozenset({2}))
    assert agreement(ENTERED, chosen, about=0) == (None, frozenset())


def test_one_speaker_does_not_contradict_himself() -> None:
    """Within an article, a denial contradicts only another speaker."""
    for speaker, expected in (("State media", None), ("The rebels", Relation("disagree", 1))):
        text = f"{speaker} said rebels had entered the city of Ostby. {DENIAL}"
        both = passage(text, "Wire", 1, 0, 1)
        said, denied = (Statement(both.article, sentence) for sentence in both.sentences)
        assert relate(ENTERED, said, denied) == expected


def test_a_passage_of_two_speakers_has_none() -> None:
    """A passage has a speaker only if all its sentences have the same."""
    text = "Ada Brun said the road was open. Ines Holt said it was closed. It rained."
    assert voice(passage(text, "Wire")).speaker == "Ada Brun"
    assert voice(passage(text, "Wire", 1, 0, 1)).speaker is None
    assert voice(passage(text, "Wire", 1, 1, 2)).speaker is None


def test_a_speaker_may_be_named_in_part() -> None:
    """A surname, and a full name with its office, are the same speaker."""
    assert same_speaker("fire chief Ada Brun", "Brun")
    assert not same_speaker("Ada Brun", "Ines Brun")
    assert not same_speaker("Ada Brun", None)


WORD = st.sampled_from(["", "denied ", "39 dead ", "Correction: ", "in 1982 ", "did not "])


@given(st.text(max_size=60), st.text(min_size=1, max_size=200), WORD)
def test_hostile_text_does_no_harm(question: str, text: str, word: str) -> None:
    """Any two strings compare alike both ways, and a string has no relation to itself."""
    article = Article(article_id="a", title="", text=f"{CLAIM} {text}", publisher="Wire")
    other = Article(article_id="b", title="", text=f"{CLAIM} {text}", publisher="Courier")
    one = Statement(article, Sentence(0, "a", 1, 0, 0, 1, CLAIM))
    two = Statement(other, Sentence(1, "b", 1, 0, 0, 1, word + text))
    relation, turned = relate(question, one, two), relate(question, two, one)
    assert (relation and relation.kind) == (turned and turned.kind)
    assert relate(question, one, one) is None
