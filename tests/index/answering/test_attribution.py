"""Who says it, and how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.answering.attribution import LONGEST, Attribution, annotate
from index.text.sentences import Span, split


def attribute(sentence: str, before: str = "", after: str = "") -> Attribution:
    """Who says a sentence that stands in a paragraph between two texts."""
    text = " ".join(filter(None, (before, sentence, after)))
    start = len(before) + 1 if before else 0
    spans = split(text)
    if sentence not in (text[s.start : s.end] for s in spans):
        spans = [s for s in spans if s.end <= start] + [Span(start, start + len(sentence))]
    annotated = annotate(text, spans)
    return annotated[next(n for n, span in enumerate(spans) if span.end > start)]


KELD = "Mara Keld, head of the harbour union"


@pytest.mark.parametrize(
    ("sentence", "speaker", "act"),
    [
        (
            "Norland state media denied that the rebels had entered Ostby.",
            "Norland state media",
            "denial",
        ),
        ("“We are inside,” the rebels said on Telegram.", "the rebels", "claim"),
        ("According to the Valley Courier, the dam is sound.", "the Valley Courier", "report"),
        ("The bridge fell at noon, said Fire Chief Ada Brun.", "Fire Chief Ada Brun", "claim"),
        ("Mara Keld, head of the harbour union, said work would stop.", KELD, "claim"),
        ("The death was confirmed by his son, Olaf Brun.", "his son, Olaf Brun", "confirmation"),
        ("On Monday, the Norland Red Cross reported 14 cases.", "the Norland Red Cross", "report"),
        ("The envoy to Ostby said the talks failed.", "The envoy to Ostby", "claim"),
        (
            "Crews warned managers that the hoist was unsafe, the head of their union said.",
            "the head of their union",
            "claim",
        ),
        (
            "The ministry rejected the union's claim that crews had warned it.",
            "The ministry",
            "denial",
        ),
        (
            "The Ostby Rescue League (ORL) confirmed two deaths.",
            "The Ostby Rescue League (ORL)",
            "confirmation",
        ),
        (
            "The mayor of Ostby, Ines Holt, told reporters the road was open.",
            "The mayor of Ostby, Ines Holt",
            "claim",
        ),
        ("The port closed, with officials saying ice was to blame.", "officials", "claim"),
        ('Ines Holt took the stage: "We will rebuild every single house."', "Ines Holt", "claim"),
        ("The police have been quoted as saying nobody was hurt.", "The police", "claim"),
        ("At a briefing to review the deal the ministry said it holds.", "the ministry", "claim"),
        ("It can be seen whether the council confirmed it.", None, "report"),
        (
            "A man familiar with the talks told the Wire so.",
            "A man familiar with the talks",
            "claim",
        ),
        ("The envoy to Norland Ada Brun said so.", "The envoy to Norland Ada Brun", "claim"),
        (
            "The flood was confirmed by the harbour office directly.",
            "the harbour office",
            "confirmation",
        ),
        # no saying, or nobody who says it
        ("Mara Keld and Olaf Brun have found their way home.", None, "report"),
        ("Mara Keld takes over, reporting to the board of the port.", None, "report"),
        ("The new line adds two stations to the map.", None, "report"),
        ("The broker maintains a rating of hold.", None, "report"),
        ("There said to be nobody left.", None, "report"),
        ("Mara Keld, who runs the port, expressed her grief.", "Mara Keld", "claim"),
        ("He asked if she had ever been told by Olaf Brun of the debt.", None, "report"),
    ],
)
def test_names_the_speaker_and_the_act(sentence: str, speaker: str | None, act: str) -> None:
    """Each common wording yields the phrase as it stands and the kind of saying."""
    found = attribute(sentence)
    assert (found.speaker, found.act) == (speaker, act)


@pytest.mark.parametrize(
    "sentence",
    [
        "The dam broke at noon.",
        "The confirmed death toll rose to 31.",
        "The United States closed its border.",
        "Early reports were wrong.",
        "He left before he announced his plans.",
        "The village reportedly lost its bridge.",
        "The minister could not confirm the figure.",
        "She issued a storm warning.",
        "The others reported missing were found alive.",
        "Correction: an earlier version of the report said the dam was sound.",
    ],
)
def test_nobody_is_named_where_nobody_speaks(sentence: str) -> None:
    """A noun, an adjective or a passive that looks like a verb of saying names no speaker."""
    assert attribute(sentence).speaker is None


def test_a_pronoun_is_who_spoke_before() -> None:
    """A pronoun goes back over another pronoun to the observatory."""
    before = "The Norland Observatory said the road was cut. It said the bridge was lost too."
    assert attribute("It added that nobody was hurt.", before).speaker == "The Norland Observatory"


@pytest.mark.parametrize(
    ("before", "pronoun", "speaker"),
    [
        ("The ministry said the road was shut.", "She", None),
        ("Officials said the road was shut.", "He", None),
        ("A spokeswoman for the port said the road was shut.", "He", None),
        ("Fire chief Ada Brun said the road was shut.", "It", None),
        ("Fire chief Ada Brun said the road was shut.", "She", "Fire chief Ada Brun"),
        (
            "Roads department official Ada Brun said so.",
            "She",
            "Roads department official Ada Brun",
        ),
        ("The ministry said the road was shut.", "It", "The ministry"),
        ("The ministry said the road was shut.", "They", "The ministry"),
    ],
)
def test_a_pronoun_must_fit(before: str, pronoun: str, speaker: str | None) -> None:
    """Nobody is named where the words tell that the pronoun means somebody else."""
    assert attribute(f"{pronoun} added that nobody was hurt.", before).speaker == speaker


def test_an_unresolved_pronoun_is_nobody() -> None:
    """Without a sentence before there is no one to name."""
    assert attribute("She said the road was open.").speaker is None


def test_a_bare_quotation_belongs_to_the_speaker_before_or_after() -> None:
    """A sentence of nothing but quotation takes its neighbour's speaker."""
    quote = "“Nobody is to enter the tunnel.”"
    before = "“The roof is not safe,” said Ada Brun."
    assert attribute(quote, before).speaker == "Ada Brun"
    assert attribute(quote, "", "Ada Brun told the council on Friday.").speaker == "Ada Brun"
    assert attribute(quote, "The tunnel is old.").speaker is None


def test_denial_outweighs_confirmation_of_the_same_speaker() -> None:
    """Who confirms one thing and denies another, as a pronoun or not, is quoted for the denial."""
    assert attribute("State media confirmed clashes but denied that Ostby fell.").act == "denial"
    found = attribute("While state media confirmed clashes, they denied that Ostby fell.")
    assert (found.speaker, found.act) == ("state media", "denial")


def test_verbs_inside_a_quotation_are_not_the_reporters() -> None:
    """What somebody quotes does not name the speaker."""
    assert (
        attribute('Ada Brun said, "The mayor denied it and Olaf confirmed it."').speaker
        == "Ada Brun"
    )


def test_a_sentence_inside_a_quotation_names_nobody_in_it() -> None:
    """A sentence in the middle of a quotation takes its speaker, not a name that it mentions."""
    text = (
        '"We have looked twice," Ada Brun said. "The books are gone. The paper the union describes '
        'is not there. We asked."\nThe union describes a paper.'
    )
    speakers = [found.speaker for found in annotate(text, split(text))]
    assert speakers == ["Ada Brun"] * (len(speakers) - 1) + [None]


def test_a_pronoun_and_a_whole_sentence_are_no_speakers() -> None:
    """What would be shown before a quote names somebody, and does not say it all again."""
    assert attribute("They said the road was open.").speaker is None
    assert attribute("The mayor of the old town of Ostby said.").speaker is None


@given(st.text(max_size=400), st.text(max_size=200))
def test_any_text_yields_speakers_from_it_or_none(text: str, more: str) -> None:
    """Hostile text does no harm, and a speaker always stands in the article."""
    article = f'{text} said Ada Brun. "{more}'
    spans = split(article)
    found = annotate(article, spans)
    assert len(found) == len(spans)
    assert all(one.speaker is None or one.speaker in article for one in found)


@pytest.mark.parametrize("word", ["said ", '"', ", ", "of the ", "Ada Brun said that ", "( "])
def test_long_text_is_cut(word: str) -> None:
    """A sentence that goes on and on is read only as far as `LONGEST`."""
    whole, cut = word * LONGEST, (word * LONGEST)[:LONGEST]
    assert annotate(whole, [Span(0, len(whole))]) == annotate(cut, [Span(0, len(cut))])
