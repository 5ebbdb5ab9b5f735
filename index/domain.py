"""The domain: articles, sentences, quotes, citations, passages and answers.

All types are frozen. Offsets count code points of the article's stored text, and
`text == article.text[start:end]` holds for everything that carries offsets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Literal, NoReturn, final

from index.errors import InputError, QuoteError

Act = Literal["claim", "denial", "confirmation", "report"]
ChangeKind = Literal["new", "changed"]
NoticeKind = Literal["corrected", "retracted"]
MAX_ARTICLE_CHARS = 2_000_000
MAX_ID_CHARS = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """What a moderator made known of an article: what is wrong with it, or why it was retracted."""

    kind: NoticeKind
    note: str
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One report, as stored.

    Attributes:
        article_id: unique in its collection; given by the source or derived from it.
        text: what sentences are cut from and quotes are checked against.
        published: aware datetime, or None where the source does not tell.
        source: where it was read from (a path or an address).
        revision: 1-based; a changed text makes a new one.
        retired: taken out; its text stays so that old quotes still resolve.
        guessed: names of the fields that its source does not state, such as "published".
        id_given: whether its source gave the id; else it was made from an address, a path or the
            text.
        notice: its newest correction or retraction.
    """

    article_id: str
    title: str
    text: str
    publisher: str | None = None
    author: str | None = None
    published: datetime | None = None
    url: str | None = None
    language: str = "en"
    source: str | None = None
    revision: int = 1
    retired: bool = False
    guessed: tuple[str, ...] = ()
    id_given: bool = field(default=True, compare=False)
    notice: Notice | None = None

    def __post_init__(self) -> None:
        if not self.article_id or len(self.article_id) > MAX_ID_CHARS:
            raise InputError(f"An article id must have 1 to {MAX_ID_CHARS} characters.")
        if not self.text.strip():
            raise InputError(f"“{self.title or self.article_id}” has no text: give it some.")
        if len(self.text) > MAX_ARTICLE_CHARS:
            raise InputError(
                f"“{self.title or self.article_id}” has {len(self.text):,} characters; "
                f"split it into articles of at most {MAX_ARTICLE_CHARS:,}."
            )
        if self.published is not None and self.published.tzinfo is None:
            raise InputError(f"The date of “{self.title}” needs a time zone.")

    @property
    def text_hash(self) -> str:
        """Hex SHA-256 of all that a reader would see change: text, title, byline and link."""
        seen = [self.text, self.title, self.publisher or "", self.author or "", self.url or ""]
        seen.append(self.published.isoformat() if self.published else "")
        return hashlib.sha256("\x00".join(seen).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that could not be read or stored, and one sentence that says what to do."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class PageState:
    """A file or URL as it was last read: its validators and what it held.

    `etag` and `modified` are a server's ETag and Last-Modified, or a file's time and size.
    `articles` are ids, `links` the URLs of pages that a feed only names; `unchanged` means that
    it was not read again.
    """

    address: str
    etag: str | None
    modified: str | None
    articles: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    unchanged: bool = False


SourceItem = Article | Failure | PageState


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stored sentence: the unit that is embedded and ranked.

    `sentence_id` is never used twice in a collection; `position` is 0-based in its article.
    `speaker` says it, in the words of the article (None where only the article does); `act` is how.
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
    """A verbatim span of one revision of one article.

    `Quote.cut` is the only way to make one: there is no constructor, no copying with other
    values and no unpickling, so a Quote that exists was true to its article when it was cut.
    """

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
        if not 0 <= start < end <= len(article.text):
            raise QuoteError(
                f"The span {start} to {end} is not inside article {article.article_id}, "
                f"which has {len(article.text)} characters."
            )
        text = article.text[start:end]
        if not text.strip():
            raise QuoteError(f"The span {start} to {end} of {article.article_id} is blank.")
        quote = object.__new__(cls)
        values = (article.article_id, article.revision, start, end, text)
        for slot, value in zip(fields(cls), values, strict=True):
            object.__setattr__(quote, slot.name, value)
        return quote

    def check(self, article: Article) -> None:
        """Compare with the stored article again; called just before a quote is sent.

        Raises:
            QuoteError: the article is another one, or says something else there.
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

    `score` is the fused score of its best sentence; it orders the passages of one question
    and means nothing beside the scores of another. `also` are the ids of other reports of the
    same origin that have the same sentence.
    """

    article: Article
    sentences: tuple[Sentence, ...]
    best: Sentence
    score: float
    also: tuple[str, ...] = ()

    @property
    def start(self) -> int:
        """Offset of the first code point."""
        return self.sentences[0].start

    @property
    def end(self) -> int:
        """Offset behind the last code point."""
        return self.sentences[-1].end

    def quote(self) -> Quote:
        """The whole passage as a quote."""
        return Quote.cut(self.article, self.start, self.end)


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered source of an answer; numbers are 1-based, in order of first use.

    `independent_of` are the numbers of those that it is no copy or rewrite of, that are not of
    the same publisher, and that neither leans on as its source.
    """

    number: int
    article: Article
    independent_of: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CitedQuote:
    """A quote and the number of its citation.

    Attributes:
        speaker: who says it, in the words of the report; None if unknown or only the report.
        act: how it is said.
        also: numbers of the citations that have the same sentence and the same origin.
        change: in an answer on what is new, whether its report is, or was changed there.
    """

    quote: Quote
    citation: int
    speaker: str | None = None
    act: Act = "report"
    also: tuple[int, ...] = ()
    change: ChangeKind | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What is new or changed since a day: so many reports, of which the newest are quoted."""

    since: date
    reports: int


@dataclass(frozen=True, slots=True)
class Side:
    """Quotes (indices, 0-based) that stand together, and who says so, where one is known."""

    quotes: tuple[int, ...]
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the quotes of an answer have to do with one another.

    One side where independent reports agree; two where they disagree, the denial behind what it
    denies; the earlier and the later where one updates or corrects the other.
    """

    kind: Literal["agree", "disagree", "updated"]
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person restricts a question to.

    Attributes:
        publishers: any of these, compared without case; empty means all.
        since, until: publication, inclusive.
        as_of: answer from what had been published by then.
    """

    publishers: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None

    @property
    def latest(self) -> datetime | None:
        """The earlier of `until` and `as_of`."""
        ends = [moment for moment in (self.until, self.as_of) if moment is not None]
        return min(ends, default=None)

    def __bool__(self) -> bool:
        return bool(self.publishers or self.since or self.until or self.as_of)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is new in a question that follows up an answer.

    Attributes:
        new_words: its own words, which weigh more than those it takes over; "" for "tell me more".
        quoted: what was quoted before. It comes again only if nothing else answers as well.
    """

    new_words: str
    quoted: tuple[Quote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the reports say on a question, or a reasoned decline.

    An answered one has quotes and citations; a declined one has a reason and, where anything
    came near, the closest quote.
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
        numbers = {citation.number for citation in self.citations}
        cited = [*self.quotes, *([self.closest] if self.closest else [])]
        named = {number for item in cited for number in (item.citation, *item.also)}
        if not named <= numbers:
            raise InputError("An answer cites a source it does not list.")
        if (self.status == "answered") != bool(self.quotes):
            raise InputError("An answer has quotes, a decline has none.")
        if self.status == "declined" and not self.reason:
            raise InputError("A decline needs a reason.")
        sides = self.agreement.sides if self.agreement else ()
        if not {index for side in sides for index in side.quotes} <= {*range(len(self.quotes))}:
            raise InputError("An agreement is about quotes that the answer does not have.")

    @property
    def independent(self) -> int:
        """How many of the cited reports are independent of one another."""
        counted: list[int] = []
        for citation in self.citations:
            if {*counted} <= {*citation.independent_of}:
                counted.append(citation.number)
        return len(counted)
