"""Copies, rewrites and independent reports."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.text.rewrites import is_rewrite, same_sentence, shared_wording, sketch

REPORT = """\
A freight train carrying timber left the rails near the harbour of Ostby early on Tuesday.
The driver was taken to a clinic with light injuries, the railway company said.
Engineers expect the line between Ostby and Vik to stay closed until the weekend.
The train was travelling at 64 kilometres an hour when a wheel bearing broke.
Two freight wagons rolled down the embankment and came to rest beside the coastal road."""
REWRITE = """\
Two freight wagons rolled down the embankment and came to rest next to the coast road.
Engineers expect that the line between Ostby and Vik will stay closed until the weekend.
A freight train with timber left the rails close to the harbor of Ostby on Tuesday."""
OTHER = """\
Rail traffic to Ostby stood still on Tuesday after an accident at the port.
Passengers waited for buses while cranes were brought in from Vik.
Nobody could say when the first train would run again.
The railway company is to look at every bearing of its timber fleet."""
SENTENCE = st.sampled_from((REPORT + "\n" + REWRITE + "\n" + OTHER).splitlines())


def test_reordered_cut_and_reworded_is_a_rewrite() -> None:
    """Sentences in another order, some left out, respelled, words exchanged."""
    assert is_rewrite(REPORT, REWRITE)


def test_another_report_of_the_event_is_independent() -> None:
    """Shared names and facts in other words are no rewrite."""
    assert not is_rewrite(REPORT, OTHER)


def test_what_both_quote_is_not_shared_wording() -> None:
    """Two reports that quote the same speech at length are independent."""
    speech = "“We will rebuild every house on the eastern shore before the first snow falls,”"
    long = " ".join([f"{speech} she said.", f"{speech} she said again."])
    other = "Rain fell over the hills of Vik all night long, and nobody slept."
    assert not is_rewrite(f"{OTHER}\n{long}", f"{long}\n{other}")


def test_a_few_common_words_are_no_rewrite() -> None:
    """Two notices of a line or two may share more than a fifth of their words by chance."""
    one = (
        "Ada Brun will host the harbour prize again, in a red coat and a borrowed hat.\n"
        "The prize goes to divers who saved a life at sea, and nobody else may apply."
    )
    two = (
        "The city's favourite singer is to host the harbour prize again after long talks.\n"
        "Tickets are gone, and divers who saved a life will eat first, the mayor promised."
    )
    assert shared_wording(one, two) < shared_wording(REPORT, REWRITE)
    assert not is_rewrite(one, two)


def test_spelling_makes_no_difference() -> None:
    """British and American spelling of one report are alike."""
    british = "The labour organisation criticised the colour of the theatre centre again."
    american = "The labor organization criticized the color of the theater center again."
    assert same_sentence(british, american)


@given(st.lists(SENTENCE, min_size=1, max_size=8).map("\n".join))
def test_identical_texts_are_copies(text: str) -> None:
    """Any report is a copy of itself."""
    assert is_rewrite(text, text)


@given(st.lists(SENTENCE, max_size=8).map("\n".join), st.lists(SENTENCE, max_size=8).map("\n".join))
def test_the_relation_is_symmetric(a: str, b: str) -> None:
    """The order of the two reports does not matter."""
    assert shared_wording(a, b) == shared_wording(b, a)


@given(st.text(max_size=500), st.text(max_size=500))
def test_hostile_text_does_no_harm(a: str, b: str) -> None:
    """Any two strings can be compared, with the same result both ways."""
    assert shared_wording(a, b) == shared_wording(b, a)
    assert same_sentence(a, b) == same_sentence(b, a)


def test_a_clock_in_two_styles_is_one_time() -> None:
    """A time with a stop or a colon makes no difference."""
    a = "The third gate of the dam failed at 4:40 a.m. after three days of heavy rain."
    b = "The third gate of the dam failed at 4.40am after three days of heavy rain."
    assert same_sentence(a, b)
    assert not same_sentence(a, b.replace("4.40", "5.10"))


def test_rewrites_share_their_sketch() -> None:
    """Rewrites share hashes in their sketches, and other texts share none."""
    assert sketch(REPORT) & sketch(REWRITE)
    assert not sketch(REPORT) & sketch("A theatre burned down in Lund. The Royal Players lost all.")
