"""Articles, sentences, quotes, citations, passages and answers, all frozen.

Offsets count code points of the article's stored text, and `text == article.text[start:end]` holds
for everything that carries offsets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from datetime import MAXYEAR, date, datetime
from typing import Literal, NoReturn, final

from index.errors import InputError, QuestionError, QuoteError
from index.text.sentences import closes_unopened

Act = Literal["claim", "denial", "confirmation", "report"]
ChangeKind = Literal["new", "changed"]
NoticeKind = Literal["corrected", "retracted"]
MAX_ARTICLE_CHARS = 2_000_000
MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """A moderator's correction or retraction of an article."""

    kind: NoticeKind
    note: str
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One report, as stored.

    Attributes:
        article_id: unique in its collection.
        published: aware, on the clock of the source; None if the source does not say.
        guessed_date: a date that its file or page suggests: only shown, as a guess.
        source: the path or URL it was read from.
        revision: 1-based; each change of the text adds one.
        retired: whether it was removed; its text stays, so that old quotes can still be checked.
        guessed: names of the fields that its source does not state, such as "title".
        id_given: whether its source gave the id; else it is derived from a key, URL, path or text.
        key: its identifier at its source, such as a feed's site and guid; not read back.
    """

    article_id: str
    title: str
    text: str
    publisher: str | None = None
    author: str | None = None
    published: datetime | None = None
    guessed_date: datetime | None = None
    url: str | None = None
    language: str = "en"
    source: str | None = None
    revision: int = 1
    retired: bool = False
    guessed: tuple[str, ...] = ()
    id_given: bool = field(default=True, compare=False)
    key: str | None = field(default=None, compare=False)
    notice: Notice | None = None

    def __post_init__(self) -> None:
        name = f"“{self.title or self.article_id}”"
        if not 1 <= len(self.article_id) <= MAX_ID_CHARS:
            raise InputError(f"An article id must have 1 to {MAX_ID_CHARS} characters.")
        if not self.text.strip():
            raise InputError(f"{name} has no text: give it some.")
        if len(self.text) > MAX_ARTICLE_CHARS:
            raise InputError(
                f"{name} has {len(self.text):,} characters: split it into articles of at most "
                f"{MAX_ARTICLE_CHARS:,}."
            )
        dates = filter(None, (self.published, self.guessed_date))
        if any(moment.tzinfo is None for moment in dates):
            raise InputError(f"The date of {name} needs a time zone.")

    @property
    def published_on(self) -> date | None:
        """The day of publication, on the clock of the source."""
        return self.published.date() if self.published else None

    @property
    def text_hash(self) -> str:
        """SHA-256 in hex of everything that readers see: text, title, byline, date and link."""
        dates = [moment and moment.isoformat() for moment in (self.published, self.guessed_date)]
        seen = (self.text, self.title, self.publisher, self.author, self.url, *dates)
        joined = "\x00".join(value or "" for value in seen)
        return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that could not be read or stored, and a sentence that says what to do."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stored sentence: the unit that is embedded and ranked.

    `sentence_id` is never reused in a collection; `position` is 0-based in its article; `speaker`
    is in the words of the article, None if nobody is quoted.
    """

    sentence_id: int
    article_id: str
    revision: int
    position: int
    start: int
    end: int
    text: str
    speaker: str | None = None
    act: Act = "report"


@final
@dataclass(frozen=True, slots=True, init=False)
class Quote:
    """A verbatim span of one revision of one article; only `Quote.cut` creates quotes."""

    article_id: str
    revision: int
    start: int
    end: int
    text: str

    def __init__(self) -> None:
        raise TypeError("A quote is cut from an article: use Quote.cut(article, start, end).")

    def __reduce__(self) -> NoReturn:
        raise TypeError("A quote cannot be pickled or copied: cut it again.")

    @classmethod
    def cut(cls, article: Article, start: int, end: int) -> Quote:
        """Cut `article.text[start:end]`.

        Raises:
            QuoteError: the span is empty, blank, or not inside the text.
        """
        text = article.text[start:end]
        if not 0 <= start < end <= len(article.text) or not text.strip():
            raise QuoteError(
                f"The span {start} to {end} is blank, or is not inside article "
                f"{article.article_id}, which has {len(article.text)} characters."
            )
        quote = object.__new__(cls)
        values = (article.article_id, article.revision, start, end, text)
        for slot, value in zip(fields(cls), values, strict=True):
            object.__setattr__(quote, slot.name, value)
        return quote

    def check(self, article: Article) -> None:
        """Compare with the stored article again; called just before a quote is sent.

        Raises:
            QuoteError: the article is another one, or its text differs.
        """
        same = (article.article_id, article.revision) == (self.article_id, self.revision)
        if not same or article.text[self.start : self.end] != self.text:
            raise QuoteError(
                f"A quote no longer matches the stored text of {self.article_id}; "
                "it was not sent: ask again."
            )


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive sentences of one article that belong together in an answer.

    `score` is its best sentence's score, comparable only within one question. `also` holds the ids
    of other reports of the same origin that have the same sentence.
    """

    article: Article
    sentences: tuple[Sentence, ...]
    best: Sentence
    score: float
    also: tuple[str, ...] = ()

    def quote(self) -> Quote:
        """Return the passage as a quote, without a final mark of a quotation opened before it."""
        start, end = self.sentences[0].start, self.sentences[-1].end
        return Quote.cut(self.article, start, end - closes_unopened(self.article.text[start:end]))


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered source of an answer; numbers are 1-based, in order of first use.

    `independent_of` holds the numbers of the independent citations: their reports have another
    publisher, are no copy or rewrite of this report, and neither names the other as its source.
    None if that is not known.
    """

    number: int
    article: Article
    independent_of: tuple[int, ...] | None = ()


@dataclass(frozen=True, slots=True)
class CitedQuote:
    """A quote, the number of its citation, and the speaker in the words of the report.

    `also` holds the numbers of citations with the same sentence from the same origin; `change` is
    set in an answer on what is new. `answer` is the part of the quote that answers the question
    ("nine"), if a reader is sure of it.
    """

    quote: Quote
    citation: int
    speaker: str | None = None
    act: Act = "report"
    also: tuple[int, ...] = ()
    change: ChangeKind | None = None
    answer: Quote | None = None

    def __post_init__(self) -> None:
        whole, part = self.quote, self.answer
        if part is not None and not (
            (part.article_id, part.revision) == (whole.article_id, whole.revision)
            and whole.start <= part.start < part.end <= whole.end
        ):
            raise InputError("The answer is not a part of the quote.")


@dataclass(frozen=True, slots=True)
class News:
    """How many reports are new or changed since a day, and how many `undated` ones may be."""

    since: date
    reports: int
    undated: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """Quotes (indices, 0-based) that say the same, and their speaker if known."""

    quotes: tuple[int, ...]
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How quotes relate: one side if they agree, else two, with the denial or update second."""

    kind: Literal["agree", "disagree", "updated"]
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """The reports that may answer a question, and the day on which it is asked.

    Attributes:
        publishers: compared without case; none means all.
        since, until: the bounds of the date of publication, inclusive and aware.
        as_of: only what was published by then may answer; aware. A report without a date does not
            pass any of the three.
        today: the day on which the question is asked; "yesterday" counts from `as_of` if it is set.

    Raises:
        QuestionError: a bound has no time zone or no plausible year, or `since` is the latest.
    """

    publishers: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    today: date | None = None

    def __post_init__(self) -> None:
        for moment in filter(None, (self.since, self.until, self.as_of)):
            if moment.tzinfo is None or not 1 < moment.year < MAXYEAR:
                raise QuestionError(f"The date {moment} needs a time zone and a plausible year.")
        for name, end in (("until", self.until), ("as of", self.as_of)):
            if self.since and end and self.since > end:
                raise QuestionError(f"“since” is later than “{name}”: swap the two dates.")

    @property
    def latest(self) -> datetime | None:
        """The earlier of `until` and `as_of`."""
        return min(filter(None, (self.until, self.as_of)), default=None)

    def __bool__(self) -> bool:
        return bool(self.publishers or self.since or self.until or self.as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the reports say on a question: quotes with citations, or a decline with its reason.

    A decline has the closest quote, if the reports have any.
    """

    answer_id: str
    question: str
    filters: Filters
    generation: int
    model: str
    status: Literal["answered", "declined"]
    confidence: float
    quotes: tuple[CitedQuote, ...] = ()
    citations: tuple[Citation, ...] = ()
    agreement: Agreement | None = None
    reason: str | None = None
    closest: CitedQuote | None = None
    news: News | None = None
    scores: tuple[float, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        named = {number for cited in self.shown for number in (cited.citation, *cited.also)}
        if not named <= {citation.number for citation in self.citations}:
            raise InputError("An answer cites a source it does not list.")
        if (self.status == "answered") != bool(self.quotes) or not (self.quotes or self.reason):
            raise InputError("An answer has quotes; a decline has none, and a reason.")
        sides = self.agreement.sides if self.agreement else ()
        if not {index for side in sides for index in side.quotes} <= {*range(len(self.quotes))}:
            raise InputError("An agreement names quotes that the answer does not have.")

    @property
    def shown(self) -> tuple[CitedQuote, ...]:
        """All quotes that it shows: those that answer, or the closest."""
        return self.quotes if self.closest is None else (*self.quotes, self.closest)

    @property
    def short(self) -> CitedQuote | None:
        """The first quote, if its `answer` can stand alone: neither disputed nor corrected."""
        disputed = self.agreement is not None and self.agreement.kind == "disagree"
        corrected = {c.number for c in self.citations if c.article.notice}
        clear = (q for q in self.quotes[:1] if q.answer and not corrected & {q.citation, *q.also})
        return None if disputed else next(clear, None)

    @property
    def independent(self) -> int | None:
        """How many of the cited reports are independent of one another; None if not known."""
        counted: set[int] = set()
        for citation in self.citations:
            if citation.independent_of is None:
                return None
            if counted.issubset(citation.independent_of):
                counted.add(citation.number)
        return len(counted)
