"""PDFs are read as paragraphs, with the title and date that they state."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from support.files import article, pdf, refusal

NOON = datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
NOISE = random.Random(1).randbytes(5_000)  # noqa: S311 - noise
LINES = [
    "The dam above Tessen failed at dawn on Saturday, and the val-",
    "ley was under water by noon. Nobody in the lower town had",
    "been warned, said the engineer. She is well-known, and a well-",
    "known critic of the COVID-",
    "19 loans in 2019–",
    "2020 and of an out-of-control, life-",
    "threatening plan. A short line ends it.",
    "",
    "A second paragraph begins after a gap, and it is a full line.",
]
INFO = "/Title(Dam fails)/Author(Ada Vell)/CreationDate(D:20260314143000+02'00')"


def test_a_pdf_has_paragraphs() -> None:
    """Lines become paragraphs, cut words are joined, and compounds keep their hyphens."""
    found = article(pdf(LINES, info=INFO), "dam.pdf")
    assert found.text == (
        "The dam above Tessen failed at dawn on Saturday, and the valley was under water by noon."
        " Nobody in the lower town had been warned, said the engineer. She is well-known, and a"
        " well-known critic of the COVID-19 loans in 2019–2020 and of an out-of-control,"
        " life-threatening plan. A short line ends it.\n\n"
        "A second paragraph begins after a gap, and it is a full line."
    )
    assert (found.title, found.author) == ("Dam fails", "Ada Vell")


def test_the_date_of_a_pdf_is_a_guess() -> None:
    """The creation date of a PDF is a guess of its publication."""
    found = article(pdf(LINES, info=INFO), "dam.pdf")
    assert (found.published, found.guessed_date) == (None, NOON)
    assert article(pdf(LINES, info="/CreationDate(nonsense)"), "a.pdf").published is None
    assert article(pdf(LINES, info="/CreationDate(D:20261399)"), "a.pdf").published is None


@pytest.mark.parametrize(
    "title", ["", "Untitled-1", "Microsoft Word - dam.docx", "dam.indd", "dam_v2"]
)
def test_a_pdf_without_title(title: str) -> None:
    """If a program named the file, a headline on the first page is the guessed title."""
    found = article(pdf(["Dam fails above Tessen", "", *LINES], info=f"/Title({title})"), "a.pdf")
    assert found.title == "Dam fails above Tessen"
    assert found.guessed == ("title",)
    assert found.text.startswith("The dam above")


LEFT = [
    "The board read the yearly report and",
    "approved the budget for the harbour in",
    "Adell. It asked for a second opin-",
    "ion on the pumps of the lower town.",
]
RIGHT = [
    "The comet will be seen for nine nights,",
    "said the observatory. Ilse Varga, who",
    "runs it, expects four thousand people",
    "on the terrace in the first week.",
]


def beside(left: str, right: str) -> str:
    """Return a line of a PDF that is drawn across two columns."""
    return f"{left}) Tj 270 0 Td ({right}) Tj -270 0 Td ("


def test_columns_are_read_one_by_one() -> None:
    """Columns drawn row by row are read in order, each below its headline."""
    rows = [beside(left, right) for left, right in zip(LEFT, RIGHT, strict=True)]
    headline = "Budget approved and the comet seen over the whole of the harbour"
    text = article(pdf([headline, *rows, headline.upper(), *rows]), "a.pdf").text
    whole = " ".join([*LEFT, *RIGHT]).replace("opin- ion", "opinion")
    first, _, second = text.partition(headline.upper())
    assert whole in " ".join(first.split())
    assert whole in " ".join(second.split())


def test_rows_of_a_table_in_a_pdf_stay_rows() -> None:
    """The cells of a table are not columns of text: rows are read together."""
    rows = [beside(place, count) for place, count in zip(PLACES, "123456", strict=True)]
    text = article(pdf([LINES[0].removesuffix("-"), *rows]), "a.pdf").text
    assert "first 1 second 2 third 3" in text


def test_digits_in_superscript_stay_apart() -> None:
    """A small raised digit is a superscript, so that 10⁶ is not read as 106."""
    raised = ") Tj /F1 7 Tf 5 Ts ({}) Tj 0 Ts /F1 12 Tf ("
    lowered = raised.replace("5 Ts", "-3 Ts").format(2)
    line = f"About 10{raised.format(16)} litres of H{lowered}O, and 9 died."
    text = article(pdf([line, *LINES[-1:]]), "a.pdf").text
    assert text.startswith("About 10¹⁶ litres of H2O, and 9 died.")


def test_text_beside_the_page_is_not_read() -> None:
    """Text drawn outside of the page is not read."""
    text = article(pdf([*LINES, ") Tj 0 -2000 Td (Nobody sees this."]), "a.pdf").text
    assert text.endswith(LINES[-1])


def test_white_on_white_is_not_read() -> None:
    """Words in the colour of the paper are not read."""
    hidden = "The dam is ) Tj 1 1 1 rg (not at all) Tj 0 g ( safe, the ministry said."
    text = article(pdf([hidden, *LINES]), "a.pdf").text
    assert text.startswith("The dam is safe, the ministry said.")


def test_white_on_a_dark_ground_is_read() -> None:
    """White words on a dark background are read."""
    ground = ") Tj ET 0 0.2 0.4 rg 60 640 500 60 re f BT /F1 12 Tf 72 660 Td 1 g ("
    text = article(pdf([*LINES, f"{ground}The dam is safe, the ministry said."]), "a.pdf").text
    assert text.endswith("The dam is safe, the ministry said.")


def test_a_dateline_stands_apart() -> None:
    """A line with only a place and a date is not joined to the sentence below it."""
    lines = ["Dam fails above Tessen", "Harrow Bay, 2 November 2026", *LINES[-1:]]
    text = article(pdf(lines, info="/Title(Dam fails)"), "a.pdf").text
    assert text.split("\n\n") == lines


PLACES = "first second third fourth fifth sixth".split()


def test_edges_of_pages_are_left_out() -> None:
    """Running heads and page numbers do not interrupt a sentence that crosses pages."""
    parts = [[f"{word} {place} of the report" for place in PLACES] for word in ("A", "B", "C", "D")]
    pages = [
        ["Northwire, 14 March", "", *part, "", f"Page {number} of 4"]
        for number, part in enumerate(parts, 1)
    ]
    text = article(pdf(*pages, info="/Title(Dam)"), "a.pdf").text
    assert text == " ".join(line for part in parts for line in part)


# Ends a text, and draws a picture over the whole page.
PICTURE = ") Tj ET q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID x EI Q BT ("


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (pdf([]), "only pictures or empty pages"),
        (pdf([" "], [""]), "only pictures or empty pages"),
        (pdf(["Scanned in Tessen", PICTURE]), "only pictures or empty pages"),
        (pdf(LINES)[:200], "damaged"),
        (b"%PDF-1.7\n" + NOISE, "damaged"),
        (
            pdf(
                LINES,
                more=f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'ab' * 32}>"
                f"/U<{'cd' * 32}>>>",
            ),
            "locked with a password",
        ),
        (pdf(*[["x"]] * 2_001), "more than 2,000 pages"),
    ],
    ids=["pictures", "blank", "stamp", "cut", "noise", "locked", "long"],
)
def test_pdfs_that_cannot_be_quoted(data: bytes, error: str) -> None:
    """Pictures, passwords and damage have different messages."""
    assert error in refusal(data, "scan.pdf")
