"""Acronyms and the names that they stand for."""

from __future__ import annotations

import pytest

from index.text.acronyms import acronyms, names_by_acronym, spelt_out


@pytest.mark.parametrize(
    ("phrase", "text", "spelt"),
    [
        (
            "the NPL chief",
            "The chief of the Norland Port League spoke.",
            "the Norland Port League chief",
        ),
        ("the N.P. chief", "The Norland Port spoke.", "the Norland Port chief"),
        ("the HU", "the Harbour of the Union", "the Harbour of the Union"),
        ("the NL", "The Norland Port League spoke.", "the NL"),
        ("the np", "The Norland Port spoke.", "the np"),
    ],
)
def test_an_acronym_is_spelt_out_as_a_text_has_it(phrase: str, text: str, spelt: str) -> None:
    """Only capitals are an acronym, and only of consecutive words."""
    assert spelt_out(phrase, text) == spelt


def test_a_name_within_a_name_has_an_acronym_too() -> None:
    """A title before a name does not hide its acronym."""
    assert names_by_acronym("Norland Port League")["PL"] == "Port League"
    assert acronyms("The P.L. and the NPL") == {"PL": "P.L.", "NPL": "NPL"}
