"""How well are web pages read? Text, dates, titles and authors on public annotated pages.

    python tests/benchmarks/pages.py [--articles DIR] [--readability DIR] [--segments DIR]
                                     [--dates DIR] [--half even|odd] [--keep FILE]

`--articles` is a checkout of scrapinghub/article-extraction-benchmark, `--readability` one of
mozilla/readability, `--segments` one of adbar/trafilatura, and `--dates` one of adbar/htmldate; the
pages are not part of this repository. What is expected of the pages of readability is what its own
rules read, checked by its authors.
Each page goes the way of a fetched one. `--half` takes every second page only, so that rules can be
written while looking at one half and tried on the other. `--keep` writes what was read as JSON
lines, to compare two versions page by page.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
from collections import Counter
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from index.errors import InputError
from index.reading.formats import Origin, read
from index.reading.markup import blocks

HALVES = {"even": slice(0, None, 2), "odd": slice(1, None, 2), "both": slice(None)}
_SHINGLE = 4  # words; as the article-extraction-benchmark counts
_LOW_RECALL = 0.9
_SHORTEST = 1_000  # characters of a page of readability; shorter ones are tests of a single tag
FIELDS = ("text", "title", "author", "publisher", "published", "guessed_date", "guessed")

Page = dict[str, Any]
"""A page's path, address and annotations (`truth`), and what was read of it (`read`)."""


def main() -> None:
    """Read the pages of each set and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("articles", "readability", "segments", "dates", "keep"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--half", choices=HALVES, default="both")
    arguments = parser.parse_args()
    half = HALVES[arguments.half]
    kept: list[Page] = []
    for name, list_pages in (("articles", articles), ("readability", readability)):
        if folder := getattr(arguments, name):
            pages = read_pages(name, list_pages(folder)[half])
            score_articles(pages)
            kept += pages
    if arguments.segments:
        listed = annotated(arguments.segments / "tests", "evaldata.json")
        pages = read_pages("segments", listed[half])
        score_segments(pages)
        score_names(pages)
        score_dates([page for page in pages if page["truth"].get("date") is not None])
        kept += pages
    for name in ("eval_default.json", "eval_mediacloud_2020.json") if arguments.dates else ():
        pages = read_pages(name, annotated(arguments.dates / "tests", name)[half])
        score_dates(pages)
        kept += pages
    if arguments.keep:
        lines = (json.dumps(page, ensure_ascii=False, default=str) + "\n" for page in kept)
        arguments.keep.write_text("".join(lines), encoding="utf-8")


# The sets


def articles(folder: Path) -> list[Page]:
    """Return the pages of the article-extraction-benchmark, with their whole text."""
    pages = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    return [
        {"path": folder / f"html/{key}.html.gz", "url": page["url"], "truth": page}
        for key, page in sorted(pages.items())
    ]


def readability(folder: Path) -> list[Page]:
    """Return the test pages of readability, with their whole text; one sentence is too short."""
    pages = []
    for path in sorted((folder / "test/test-pages").iterdir()):
        markup = (path / "expected.html").read_text(encoding="utf-8")
        text = "\n".join(line for _, line in blocks(markup))
        if len(text) >= _SHORTEST:
            url = f"https://readability.example/{path.name}"
            truth = {"articleBody": text}
            pages.append({"path": path / "source.html", "url": url, "truth": truth})
    return pages


def annotated(folder: Path, name: str) -> list[Page]:
    """Return the pages of a list by address; their files are in three folders beside it."""
    pages = json.loads((folder / name).read_text(encoding="utf-8"))
    paths = {
        path.name: path
        for part in ("test_set", "eval", "cache")
        for path in folder.glob(f"{part}/*")
    }
    return [
        {"path": paths[page["file"]], "url": url, "truth": page}
        for url, page in sorted(pages.items())
    ]


def read_pages(name: str, pages: list[Page]) -> list[Page]:
    """Return the pages with the results of reading them."""
    print(f"\n{name}: {len(pages)} pages", flush=True)
    return [{"set": name} | page | {"read": read_page(page["path"], page["url"])} for page in pages]


def read_page(path: Path, url: str) -> dict[str, Any]:
    """Return what a page gives when it is fetched, or the reason why it is refused."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        (article,) = read(io.BytesIO(data), Origin(url, url, "text/html"))
    except InputError as error:
        return dict.fromkeys(FIELDS) | {"text": "", "refused": str(error)}
    return {name: getattr(article, name) for name in FIELDS}


# The figures


def score_articles(pages: list[Page]) -> None:
    """Print how much of the text was read, in shingles of four words."""
    for page in pages:
        page.update(overlap(page["truth"]["articleBody"], page["read"]["text"]))
    precision, recall = (mean(page[name] for page in pages) for name in ("precision", "recall"))
    low = sum(page["recall"] < _LOW_RECALL for page in pages)
    print(
        f"F1 {2 * precision * recall / (precision + recall):.3f}, precision {precision:.3f}, "
        f"recall {recall:.3f}; recall under {_LOW_RECALL}: {low}; {refusals(pages)}"
    )


def overlap(truth: str, text: str) -> dict[str, float]:
    """Return precision and recall of a text's shingles; the precision of an empty text is 1."""
    wanted, actual = shingles(truth), shingles(text)
    common = (wanted & actual).total()
    return {"precision": common / actual.total() if text else 1, "recall": common / wanted.total()}


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """Return every four consecutive words."""
    words = re.findall(r"\w+", text)
    starts = range(max(1, len(words) - _SHINGLE + 1))
    return Counter(tuple(words[start : start + _SHINGLE]) for start in starts)


def score_segments(pages: list[Page]) -> None:
    """Print how many annotated segments are missing, and how many unwanted are present."""
    for page in pages:
        truth, text = page["truth"], plain(page["read"]["text"])
        page["missing"] = [part for part in truth["with"] if plain(part) not in text]
        page["foreign"] = [part for part in truth["without"] if plain(part) in text]
    missing, foreign = (sum(len(page[name]) for page in pages) for name in ("missing", "foreign"))
    wanted, unwanted = (sum(len(page["truth"][n]) for page in pages) for n in ("with", "without"))
    print(
        f"segments: missing {missing} of {wanted}, foreign {foreign} of {unwanted}; "
        f"{refusals(pages)}"
    )


def score_names(pages: list[Page]) -> None:
    """Print how many of the titles and authors that were read are as annotated."""
    for name in ("title", "author"):
        right = total = 0
        for page in pages:
            truth, text = page["truth"].get(name), page["read"][name]
            if truth and text:
                accepted = truth if isinstance(truth, list) else [truth]
                right += plain(text).casefold() in {plain(form).casefold() for form in accepted}
                total += 1
        print(f"{name}: {right} of {total} as annotated")


def plain(text: str) -> str:
    """Return a text on a single line, without marks of where a word may be cut."""
    return " ".join(text.replace("\u00ad", "").split())


def refusals(pages: list[Page]) -> str:
    """Return in words how many pages were refused."""
    return f"refused {sum('refused' in page['read'] for page in pages)}"


def score_dates(pages: list[Page]) -> None:
    """Print how many stated and guessed days are right."""
    for name in ("published", "guessed_date"):
        errors, undated = [], 0
        for page in pages:
            truth, read_date = annotated_day(page["truth"]["date"]), page["read"][name]
            if truth and read_date:
                errors.append(abs(read_date.date() - truth).days)
            else:
                undated += bool(read_date)
        print(
            f"{name}: {errors.count(0)} right of {len(errors)}, {errors.count(1)} a day off; "
            f"{undated} more where no day is annotated"
        )


def annotated_day(value: object) -> date | None:
    """Return the day of an annotation; a few annotations are not dates."""
    with suppress(ValueError):
        return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day only
    return None


if __name__ == "__main__":
    main()
