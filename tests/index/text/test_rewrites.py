"""Copies, rewrites and independent reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from index.domain import Article
from index.text.rewrites import (
    independence,
    lifted,
    same_event,
    same_origin,
    same_sentence,
    same_subject,
)

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


def article(name: str, text: str, publisher: str | None = None) -> Article:
    """An article of a publisher of its own, unless another is given."""
    return Article(article_id=name, title=name, text=text, publisher=publisher or f"The {name}")


def test_reordered_cut_and_reworded_is_a_rewrite() -> None:
    """Sentences in another order, some left out, respelled, words exchanged: one origin."""
    assert same_origin(REPORT, REWRITE)


def test_another_report_of_the_event_is_independent() -> None:
    """Shared names and facts in other words are no rewrite."""
    assert not same_origin(REPORT, OTHER)


def test_what_both_quote_is_not_lifted() -> None:
    """Two reports that quote one speech at length stay independent."""
    speech = "“We will rebuild every house on the eastern shore before the first snow falls,”"
    long = " ".join([f"{speech} she said.", f"{speech} she said again."])
    other = "Rain fell over the hills of Vik all night long, and nobody slept."
    assert not same_origin(f"{OTHER}\n{long}", f"{long}\n{other}")


def test_a_few_common_words_are_no_origin() -> None:
    """Two notices of a line or two share more than a fifth by chance."""
    one = (
        "Ada Brun will host the harbour prize again, in a red coat and a borrowed hat.\n"
        "The prize goes to divers who saved a life at sea, and nobody else may apply."
    )
    two = (
        "The city's favourite singer is to host the harbour prize again after long talks.\n"
        "Tickets are gone, and divers who saved a life will eat first, the mayor promised."
    )
    assert lifted(one, two) < lifted(REPORT, REWRITE)
    assert not same_origin(one, two)


def test_spelling_makes_no_difference() -> None:
    """British and American spelling of one report are alike."""
    british = "The labour organisation criticised the colour of the theatre centre again."
    american = "The labor organization criticized the color of the theater center again."
    assert same_sentence(british, american)


@given(st.lists(SENTENCE, min_size=1, max_size=8).map("\n".join))
def test_identical_texts_are_copies(text: str) -> None:
    """Any report is a copy of itself."""
    assert same_origin(text, text)


@given(st.lists(SENTENCE, max_size=8).map("\n".join), st.lists(SENTENCE, max_size=8).map("\n".join))
def test_the_relation_is_symmetric(a: str, b: str) -> None:
    """Neither report comes first."""
    assert lifted(a, b) == lifted(b, a)
    assert same_event(a, b) == same_event(b, a)


@given(st.text(max_size=500), st.text(max_size=500))
def test_hostile_text_does_no_harm(a: str, b: str) -> None:
    """Any two strings can be compared, the same both ways."""
    assert lifted(a, b) == lifted(b, a)
    assert same_sentence(a, b) == same_sentence(b, a)


def test_one_event_shares_names() -> None:
    """Reports of one accident share its places; a fire elsewhere does not."""
    assert same_event(REPORT, OTHER)
    assert not same_event(REPORT, "A theatre burned down in Lund.\nThe Royal Players lost all.")


def test_namesakes_are_two_subjects() -> None:
    """Reports of unknown day are of one subject only where their leads name mostly the same."""
    born = "Mara Voss was born in Ostby. She swam for Norland at the games in Lund."
    other = "Mara Voss was born in Vik. She wrote plays for the Kessel theatre in Adell."
    asked = "When was Mara Voss born?"
    one, two, again = article("a", born), article("b", other), article("c", f"{born} She won.")
    assert not same_subject(asked, one, two)
    assert same_subject(asked, one, again)
    days = [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 3)]
    one, two = (replace(made, published=day) for made, day in zip((one, two), days, strict=True))
    assert same_subject(asked, one, two)  # news of the same days


def test_a_clock_in_two_styles_is_one_time() -> None:
    """A sentence is the same whether its time has a stop or a colon."""
    a = "The third gate of the dam failed at 4:40 a.m. after three days of heavy rain."
    b = "The third gate of the dam failed at 4.40am after three days of heavy rain."
    assert same_sentence(a, b)
    assert not same_sentence(a, b.replace("4.40", "5.10"))


def test_rewrites_are_one_origin_through_others() -> None:
    """A copy of a rewrite is tied to the original; the report of its own is independent of all."""
    reports = [article("A", REPORT), article("B", REWRITE), article("C", OTHER)]
    assert independence(reports) == [{2}, {2}, {0, 1}]


def test_one_publisher_is_one_witness() -> None:
    """Two reports of one house are not independent of each other, whatever they say."""
    reports = [article("A", REPORT, "The Wire"), article("C", OTHER, "The Wire")]
    assert independence(reports) == [set(), set()]


def test_who_names_a_report_as_source_leans_on_it() -> None:
    """A report that has it from another publisher is no second witness."""
    leaning = "Trains stood still in Ostby, the Northern Wire reported.\nNobody knows for how long."
    reports = [article("A", REPORT, "The Northern Wire"), article("C", leaning)]
    assert independence(reports) == [set(), set()]
    beside = leaning.replace("the Northern Wire reported", "beside the Northern Wire building")
    assert independence([reports[0], article("C", beside)]) == [{1}, {0}]
