"""Attribution: who says a sentence, and how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.answering.attribution import Attribution, annotate
from index.text.sentences import MAX_SENTENCE, Span, split


def attribute(sentence: str, before: str = "") -> Attribution:
    """Return the attribution of a sentence that stands in a paragraph after another text."""
    text = " ".join(filter(None, (before, sentence)))
    start = len(before) + 1 if before else 0
    spans = [*split(before), Span(start, len(text))]
    return annotate(text, spans)[-1]


KELD = "Mara Keld, head of the harbour union"


@pytest.mark.parametrize(
    ("sentence", "speaker", "act"),
    [
        ("State media denied that the rebels had entered Ostby.", "State media", "denial"),
        ("“We are inside,” the rebels said on Telegram.", "the rebels", "claim"),
        ("According to the Valley Courier, the dam is sound.", "the Valley Courier", "report"),
        ("The bridge fell at noon, said Fire Chief Ada Brun.", "Fire Chief Ada Brun", "claim"),
        ("Mara Keld, head of the harbour union, said work would stop.", KELD, "claim"),
        ("The death was confirmed by his son Olaf Brun.", "his son Olaf Brun", "confirmation"),
        ("On Monday, the Norland Red Cross reported 14 cases.", "the Norland Red Cross", "report"),
        ("The envoy to Ostby said the talks failed.", "The envoy to Ostby", "claim"),
        (
            "Crews warned managers that the hoist was unsafe, the head of their union said.",
            "the head of their union",
            "claim",
        ),
        ("The ministry rejected the union's claim of a warning.", "The ministry", "denial"),
        ("The court rejected the union's appeal.", None, "report"),
        ("It will fall, according to brokers Rope & Tar.", "brokers Rope & Tar", "report"),
        (
            "The yard shut, said Ada Brun of Rope & Tar on Monday.",
            "Ada Brun of Rope & Tar",
            "claim",
        ),
        ("The Port League (PL) confirmed it.", "The Port League (PL)", "confirmation"),
        ('Ines Holt took the stage: "We will rebuild every single house."', "Ines Holt", "claim"),
        ("Ines Holt left the hall, saying the road was open.", "Ines Holt", "claim"),
        ("At a briefing to review the deal the ministry said it holds.", "the ministry", "claim"),
        ("It can be seen whether the council confirmed it.", None, "report"),
        (
            "Mara Keld, head of Rope & Tar, a Norland yard, said work would stop.",
            "Mara Keld, head of Rope & Tar, a Norland yard",
            "claim",
        ),
        (
            "Ostby scientists using a mast atop Mount Skarn confirmed it.",
            "Ostby scientists using a mast atop Mount Skarn",
            "confirmation",
        ),
        (
            "Ada Brun, a doctor, said the toll of the storm on the coast was nine.",
            "Ada Brun, a doctor",
            "claim",
        ),
        ("“It holds,” said Ada Brun quietly from her desk.", "Ada Brun", "claim"),
        ("While the union said it was fit, Ines Holt denied it.", "Ines Holt", "denial"),
        (
            "Ostby's leaders condemned the raids that they said hurt six.",
            "Ostby's leaders",
            "claim",
        ),
        ("Talks have taken place and the mayor said the road was open.", "the mayor", "claim"),
        ("According to three people familiar with it, it holds.", "three people", "report"),
        # no saying, or nobody who says it
        ("Mara Keld and Olaf Brun have found their way home.", None, "report"),
        ("Mara Keld, who runs the port, expressed her grief.", "Mara Keld", "claim"),
        ("He asked if she had ever been told by Olaf Brun of the debt.", None, "report"),
    ],
)
def test_names_the_speaker_and_the_act(sentence: str, speaker: str | None, act: str) -> None:
    """Each common wording yields the speaker's phrase and the act."""
    attribution = attribute(sentence)
    assert (attribution.speaker, attribution.act) == (speaker, act)


@pytest.mark.parametrize(
    "sentence",
    [
        "The confirmed death toll rose to 31.",
        "The United States closed its border.",
        "Early reports were wrong.",
        "He left before he announced his plans.",
        "The minister could not confirm the figure.",
        "Ines Holt claimed three victories.",
        "Hours after her journey said to be long, the bridge fell.",
        "The storm told a similar story.",
        "Do the officials say the road is open?",
        "The report will say what broke.",
        "He left because the council said so.",
        "Most said so.",
        "No union claimed that it was safe.",
        "Ines Holt conceded twice.",
        "Skarn fell after the Courier reported that it would.",
        "Ines Holt was chosen and admitted to the guild.",
        "An earlier version of this report said that the dam held.",
        "The Lock tells the sad story of a keeper whose boat was lost.",
        "Ines Holt wrote, produced and staged the play.",
        "Opening the bridge Mr Brun said it would last.",
        "Crowds blocked what organisers estimated was a mile of road.",
    ],
)
def test_nobody_is_named_where_nobody_speaks(sentence: str) -> None:
    """A noun, adjective or passive that looks like a verb of saying names no speaker."""
    assert attribute(sentence).speaker is None


def test_a_pronoun_is_who_spoke_before() -> None:
    """A pronoun is resolved across another pronoun to the previous speaker."""
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
        ("The ministry said the road was shut.", "It", "The ministry"),
        ("Residents said the road was shut.", "They", "Residents"),
        ("Ada Brun said the road was shut.", "They", None),
        ("Mr Brun said the road was shut.", "She", None),
        ("Ada Brun met Ines Holt.", "She", None),
        ("Ada Brun said that Ines Holt was hurt.", "She", "Ada Brun"),
        ("The Skarn rose.", "He", None),
        ("She and Ada Brun left.", "She", None),
        ("The firemen said the road was shut.", "He", None),
        ("The firemen said the road was shut.", "They", "The firemen"),
    ],
)
def test_a_pronoun_must_fit(before: str, pronoun: str, speaker: str | None) -> None:
    """No speaker is named if the words show that the pronoun means somebody else."""
    assert attribute(f"{pronoun} added that nobody was hurt.", before).speaker == speaker


def test_a_bare_quotation_belongs_to_the_speaker_before() -> None:
    """A sentence that is all quotation has the previous speaker."""
    quote = "“Nobody is to enter the tunnel.”"
    before = "“The roof is not safe,” said Ada Brun."
    assert attribute(quote, before).speaker == "Ada Brun"
    assert attribute(quote, "The tunnel is old.").speaker is None


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        # one quotation has one speaker, named before it or behind it
        ("Ada Brun said: “It fell. It was old.”", ["Ada Brun"] * 2),
        ("Ines Holt spoke. “It fell. It was old,” said Ada Brun.", [None, "Ada Brun", "Ada Brun"]),
        ("“It fell,” said Ada Brun. “It was\n“Old.”", ["Ada Brun"] * 3),
        # a new paragraph goes on only right behind a speaker
        ("“It fell,” said Ada Brun.\n“It was old.”", ["Ada Brun"] * 2),
        ("“It fell,” said Ada Brun.\n“Old.”\n“Older.”", ["Ada Brun", "Ada Brun", None]),
    ],
)
def test_a_quotation_has_one_speaker(text: str, speakers: list[str | None]) -> None:
    """All sentences of a quotation have the speaker named in one of them."""
    assert [a.speaker for a in annotate(text, split(text))] == speakers


def test_denial_outweighs_confirmation_of_the_same_speaker() -> None:
    """A speaker who confirms one thing and denies another is labelled with the denial."""
    assert attribute("State media confirmed clashes but denied that Ostby fell.").act == "denial"
    attribution = attribute("While state media confirmed clashes, they denied that Ostby fell.")
    assert (attribution.speaker, attribution.act) == ("state media", "denial")


def test_a_sentence_inside_a_quotation_names_nobody_in_it() -> None:
    """A sentence in a quotation has the quotation's speaker, not a person it mentions."""
    text = (
        '"We have looked twice," Ada Brun said. "The books are gone. The paper the union describes '
        'is not there. We asked."\nThe union describes a paper.'
    )
    speakers = [a.speaker for a in annotate(text, split(text))]
    assert speakers == ["Ada Brun"] * (len(speakers) - 1) + [None]


@given(st.text(max_size=400), st.text(max_size=200))
def test_any_text_yields_speakers_from_it_or_none(text: str, more: str) -> None:
    """Any text is handled without an error, and each speaker occurs in the article."""
    article = f'{text} said Ada Brun. "{more}'
    spans = split(article)
    attributions = annotate(article, spans)
    assert len(attributions) == len(spans)
    assert all(a.speaker is None or a.speaker in article for a in attributions)


@pytest.mark.parametrize("word", ["said ", '"', ", ", "of the ", "Ada Brun said that ", "( "])
def test_long_text_is_cut(word: str) -> None:
    """An endless sentence is read only up to `MAX_SENTENCE`."""
    whole = word * MAX_SENTENCE
    cut = whole[:MAX_SENTENCE]
    assert annotate(whole, [Span(0, len(whole))]) == annotate(cut, [Span(0, len(cut))])
