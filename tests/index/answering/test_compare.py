"""Sentences that agree, contradict or update one another; and whole answers made of them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from index.answering.claims import LONGEST, Said
from index.answering.compare import compare

from index.answering.conflicts import Statement, agreement, relate, same_speaker, voice
from index.domain import Agreement, Article, Passage, Sentence, Side
from index.text.sentences import split

ENTERED = "Did the rebels enter Ostby?"
DEAD = "How many people were killed in the Ostby fire?"
CLAIM = "Rebels entered the city of Ostby on foot."
DENIAL = "State media denied that rebels had entered the city of Ostby."


def kind(question: str, a: str | Said, b: str | Said) -> str | None:
    """The kind of verdict, which must not depend on which sentence comes first."""
    one, other = (Said(text) if isinstance(text, str) else text for text in (a, b))
    found, turned = compare(question, one, other), compare(question, other, one)
    assert (found and found.kind) == (turned and turned.kind)
    return found.kind if found else None


@pytest.mark.parametrize(
    ("question", "a", "b"),
    [
        (ENTERED, CLAIM, DENIAL),
        (ENTERED, "The rebels claimed that they had entered the city of Ostby.", DENIAL),
        (ENTERED, "The rebels entered Ostby on Monday.", "The rebels did not enter Ostby."),
        (
            "Were managers warned about the Ostby gate?",
            "Crews warned managers about the Ostby gate in May, their union said.",
            "“No warning about the Ostby gate reached managers,” a spokesman said.",
        ),
        (
            DEAD,
            "The fire in Ostby killed 39 people.",
            "In Ostby 12 people were killed by the fire.",
        ),
        (
            "Is the Ostby sea monster real?",
            "A sea monster swims in the bay of Ostby.",
            "The sea monster of Ostby is a hoax.",
        ),
        (
            "What did the bridge cost?",
            "The bridge over the Vik cost 12 million crowns to build in the end.",
            "The bridge over the Vik cost 19 million crowns to build in the end.",
        ),
        (
            "When did the Ostby bridge open?",
            "The Ostby bridge opened on 3 May 1962.",
            "The Ostby bridge was opened on 9 June 1964.",
        ),
        (
            "Where will the Ostby inquiry be held?",
            "The inquiry into the Ostby fire will be held in the old customs house of Vik.",
            "The inquiry into the Ostby fire will be held in the old customs house of Lund.",
        ),
    ],
)
def test_contradictions(question: str, a: str, b: str) -> None:
    """Each rule sees its contradiction, whichever sentence comes first."""
    assert kind(question, a, b) == "disagree"


@pytest.mark.parametrize(
    ("question", "a", "b"),
    [
        # hedged counts can both be true
        (
            DEAD,
            "The fire in Ostby killed at least 12 people.",
            "In Ostby 39 people were killed by the fire.",
        ),
        # another figure is denied than the one that is given
        (
            "How many people will the Ostby dam scheme move?",
            "The council says that the Ostby dam scheme will move 110,000 people.",
            "The builders of the Ostby dam scheme denied that it will move 240,000 people.",
        ),
        # the dead are asked for, not who was hurt
        (
            "How many soldiers were killed in the Ostby ambush?",
            "In the ambush at Ostby 120 soldiers were wounded.",
            "In the ambush at Ostby 40 soldiers were killed.",
        ),
        # a decline is no negation
        (
            "Was the mill in Ostby built in Vik stone?",
            "The mill in Ostby was built of Vik stone in a time of decline.",
            "The mill in Ostby was built of Vik stone.",
        ),
        # other days, other points
        (
            DEAD,
            "The fire in Ostby in May 2019 killed 39 people.",
            "The fire in Ostby in June 2020 killed 12 people.",
        ),
        # other places
        (
            DEAD,
            "The fire on Vik Street in Ostby killed 39 people.",
            "The fire on Lund Square in Ostby killed 12 people.",
        ),
        # nobody asked for the count
        (
            ENTERED,
            "The fire in Ostby killed 39 people.",
            "In Ostby 12 people were killed by the fire.",
        ),
        # an appeal is denied: no denial of a statement
        (
            ENTERED,
            "Rebels asked to enter Ostby.",
            "The court denied the rebels' request to enter Ostby.",
        ),
        # a claim at a distance is no statement
        (ENTERED, "Rebels allegedly entered the city of Ostby.", DENIAL),
        # both negative
        (ENTERED, "No rebels entered Ostby.", DENIAL),
        # purpose, not statement
        (ENTERED, "Guards shut the gate so rebels would not enter Ostby.", "Rebels entered Ostby."),
        # like wording about the same, with another figure that nobody asked for
        (
            "Where is the bridge?",
            "The bridge over the Vik cost 12 million crowns to build in the end.",
            "The bridge over the Vik cost 19 million crowns to build in the end.",
        ),
        # of two years
        (
            "What does the Ostby fair cost the town?",
            "The Ostby fair cost the town 12 million crowns in 2022.",
            "The Ostby fair cost the town 19 million crowns in 2023.",
        ),
        # two who were there, not one in the other's place
        (
            "Who spoke at the Ostby meeting?",
            "Ada Brun spoke first at the Ostby meeting and asked for a new pump.",
            "Ines Holt spoke for an hour at the Ostby meeting before the vote was taken.",
        ),
    ],
)
def test_no_false_alarm(question: str, a: str, b: str) -> None:
    """What is not proved to be a contradiction, or to be the same, is called neither."""
    assert kind(question, a, b) is None


def test_a_negation_in_other_words() -> None:
    """Where the verbs differ, the embeddings prove that both sentences are on one point."""
    question = "Was the harbour office told of the crack in the Ostby lock?"
    told = Said("Divers told the harbour office of the crack in the Ostby lock in May.")
    never = Said("The harbour office was never informed of a crack in the Ostby lock.")
    found = compare(question, told, never, 0.8)
    assert found is not None
    assert (found.kind, found.reason, found.against) == ("disagree", "negation", 1)
    assert compare(question, told, never, 0.5) is None


def test_another_figure_of_the_same_house_is_an_update() -> None:
    """Another cost by the same outlet, or one that is said to be new, is no contradiction."""
    question = "How much will the Vik bridge cost?"
    first = Said("The Vik bridge will cost 12 million crowns.", "Wire", date(2024, 5, 1))
    text = "The Vik bridge will cost 19 million crowns."
    assert kind(question, first, Said(text, "Wire", date(2024, 5, 3))) == "updated"
    assert kind(question, first, Said(text, "Courier", date(2024, 5, 1))) == "disagree"
    assert kind(question, first, Said(text, "Wire", date(2025, 5, 1))) == "updated"
    raised = "The Vik bridge will now cost 19 million crowns."
    assert kind(question, first, Said(raised, "Courier", date(2024, 5, 3))) == "updated"


def test_a_report_that_knows_the_old_figure_updates_it() -> None:
    """Who gives the new figure with the old one beside it contradicts nobody."""
    old = Said("The flood in Ostby forced 2,300 people from their homes.", "Wire", date(2024, 5, 1))
    text = "The number forced from their homes in Ostby now stands at 3,900, up from 2,300."
    asked = "How many people in Ostby lost their homes?"
    assert kind(asked, old, Said(text, "Courier", date(2024, 5, 3))) == "updated"
    assert kind(asked, old, Said(text, "Courier")) is None


def test_what_grows_may_be_more_by_then() -> None:
    """A later larger sum of another house is no contradiction; a smaller one, or of a day, is."""
    question = "How much has the Ostby fund raised?"
    early = Said("The Ostby fund has raised 12 million crowns.", "Wire", date(2024, 5, 1))
    more = "The Ostby fund has raised 19 million crowns."
    assert kind(question, early, Said(more, "Courier", date(2024, 5, 3))) is None
    assert kind(question, early, Said(more, "Courier", date(2024, 5, 1))) == "disagree"
    assert kind(question, early, Said(more, "Courier", date(2024, 4, 30))) == "disagree"


FEW = Said("The fire in Ostby killed 12 people.", "Courier", date(2024, 5, 1))
MANY = "In Ostby 39 people were killed by the fire."


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Said(MANY, "Wire", date(2024, 5, 3)), "updated"),
        (Said(MANY, "Courier", date(2024, 5, 1)), "updated"),
        (Said(MANY, "Wire", date(2024, 5, 1)), "disagree"),
        (Said(MANY, "Wire", date(2024, 4, 30)), "disagree"),  # deaths do not shrink
        (Said("In Ostby 12 died in the fire.", "Wire", date(2024, 5, 3)), "agree"),
    ],
)
def test_counts_in_time(other: Said, expected: str) -> None:
    """A larger later count, or a new one of the same house, is an update; else they disagree."""
    assert kind(DEAD, FEW, other) == expected


def test_the_toll_is_the_count_of_all() -> None:
    """Of several counts in a sentence the one of the toll is compared."""
    other = Said(
        "Four bodies were found, raising the death toll of the fire in Ostby to 16.",
        "Wire",
        date(2024, 5, 3),
    )
    found = compare(DEAD, FEW, other)
    assert found is not None
    assert (found.kind, found.against) == ("updated", 1)


def test_a_correction_updates_what_it_corrects() -> None:
    """A publisher's correction stands against its earlier sentence, and nobody else's."""
    text = "The inquiry will be led by retired judge Ada Brun, the ministry said."
    before = Said(text, "Wire", date(2024, 5, 1))
    after = "Correction: an earlier report said the inquiry would be led by retired judge Ada Brun."
    found = compare("Who leads it?", Said(after, "Wire", date(2024, 5, 2)), before)
    assert found is not None
    assert (found.kind, found.reason, found.against) == ("updated", "correction", 0)
    assert compare("Who leads it?", Said(after, "Courier", date(2024, 5, 2)), before) is None


@given(
    st.text(max_size=60),
    st.text(max_size=200),
    st.text(max_size=200),
    st.sampled_from(["", "denied ", "39 dead ", "Correction: ", "in 1982 "]),
)
def test_hostile_text_does_no_harm(question: str, a: str, b: str, word: str) -> None:
    """Any two strings are compared alike both ways, and a string with itself not at all."""
    assert kind(question, word + a, b) == kind(question, b, word + a)
    assert compare(question, Said(a), Said(a)) is None


def test_long_text_is_cut() -> None:
    """What lies behind `LONGEST` is not read."""
    assert compare(ENTERED, Said(" " * LONGEST + CLAIM), Said(DENIAL)) is None


# In the reports they stand in


def passage(text: str, publisher: str, first: int = 0, last: int = 0) -> Passage:
    """Sentences `first` to `last` of a report of that publisher."""
    article = Article(
        article_id=publisher,
        title="",
        text=text,
        publisher=publisher,
        published=datetime(2024, 5, 1, tzinfo=UTC),
    )
    sentences = tuple(
        Sentence(number, publisher, 1, number, span.start, span.end, text[span.start : span.end])
        for number, span in enumerate(split(text))
    )[first : last + 1]
    return Passage(article, sentences, sentences[0], 1.0)


def test_claim_and_denial_are_two_sides_with_speakers() -> None:
    """The denial is the second side, and each side has who says it."""
    claim = passage("The rebels said they had entered the city of Ostby. Norland burns.", "Wire")
    denial = passage(f"{DENIAL} Norland is calm.", "Courier")
    sides = (Side((1,), "The rebels"), Side((0,), "State media"))
    assert agreement(ENTERED, [denial, claim]) == (
        Agreement("disagree", sides),
        frozenset({0}),
    )


def test_one_speaker_does_not_contradict_himself() -> None:
    """Within a report a denial disagrees with another speaker only."""
    one = passage(f"State media said rebels had entered the city of Ostby. {DENIAL}", "Wire")
    said, denied = passage(one.article.text, "Wire", 0, 1).sentences
    assert relate(ENTERED, Statement(one.article, said), Statement(one.article, denied)) is None


def test_only_independent_reports_agree() -> None:
    """Like wording is agreement between two houses, and nothing between two reports of one."""
    text = "The fire at Ostby harbour killed 39 people."
    a, b = passage(f"{text} It rained.", "Wire"), passage(f"Snow fell. {text}", "Courier", 1, 1)
    other = passage("In Ostby 39 people were killed by the fire at the harbour.", "Courier")
    assert agreement(DEAD, [a, other])[0] == Agreement("agree", (Side((0, 1)),))
    assert relate(DEAD, Statement(a.article, a.best), Statement(b.article, b.best)) is None
    same_house = passage(other.article.text, "Wire")
    assert agreement(DEAD, [a, same_house])[0] is None


def test_a_passage_of_two_speakers_has_none() -> None:
    """Who says a passage is known only where one speaker says all of it."""
    text = "Ada Brun said the road was open. Ines Holt said it was closed. It rained."
    assert voice(passage(text, "Wire")).speaker == "Ada Brun"
    assert voice(passage(text, "Wire", 0, 1)).speaker is None
    assert voice(passage(text, "Wire", 1, 2)).speaker is None


def test_a_speaker_may_be_named_in_part() -> None:
    """A surname and the full name with its office are one speaker."""
    assert same_speaker("fire chief Ada Brun", "Brun")
    assert not same_speaker("Ada Brun", "Ines Brun")
    assert not same_speaker("Ada Brun", None)
