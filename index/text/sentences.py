"""Split text into sentences with exact offsets.

The library sentencex finds boundaries. This module does what it leaves to its caller: it tells line
ends from hard wraps, cuts quotations of several sentences so that each can be quoted alone, and
reads the abbreviations of news English in context.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sentencex import get_sentence_boundaries

MAX_SENTENCE = 1200
"""Code points; a longer sentence is cut at the end of a clause, else at whitespace."""
_MAX_BLOCK = 8000
_MAX_ASIDE = 400
_SHORT = 4  # letters: so short a word, before a stop and a lower-case letter, is an abbreviation
_WRAP_WIDTH = range(40, 101)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of code points: the sentence is ``text[start:end]``."""

    start: int
    end: int


def _any(words: str) -> str:
    return "(?:" + "|".join(words.split()) + ")"


# Before these words, an abbreviation that may close a sentence does close it.
_OPENERS = _any(
    "A After Again All Also Although An Analysts And Another As Asked At Because Before Both But By"
    " Critics Despite During Each Even For From Had Has He Her Here His How However I If In Instead"
    " Investors It Its Last Later Many Meanwhile Most My Neither Never No Nobody None Nor Not Now"
    " Officials On Once One Only Or Others Our Police Prosecutors Several Shares She Since So Some"
    " Still Such That The Their Then There These They This Those Though Three Today Two Under Until"
    " We What When Where Whether Which While Who Why With Without Yesterday Yet You Your"
    " Britain Canada China France Germany India Iran Israel Japan Russia Ukraine"
)
_CLOSABLE = frozenset(
    "Ave Blvd Bros Co Corp Dept Est Inc Jr Ltd No Sr etc ft hrs lbs min oz pct sq yrs".split()
)
# Plain words that sentencex takes for abbreviations, and abbreviations that it does not know.
_WORDS = frozenset("CA DC I ID LA Me OK SEC May Yahoo art con ill me mm no op ore".split())
_NEVER_LAST = frozenset(
    "Asst Atty Brig Comdr Ct Det Dist Ens Ft Insp MM Pfc Revd Spc Surg approx est viz".split()
)
_MONSIEUR = re.compile(rf"\s+(?!{_OPENERS}\b)")  # "M. | Dupont", but not "size M. | The"
_TIME = re.compile(
    r"\s+(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Jan|Feb|March|April|May|June|July|Aug|Sept"
    r"|Oct|Nov|Dec|[ECMP][DS]?T|BST|CES?T|GMT|UTC|Eastern|Central|Pacific)\b"
)
_SPEECH = _any(
    "added admitted agreed announced argued asked asks begged called cried declared exclaimed"
    " explained joked laughed muttered recalled remarked repeated replied replies responded said"
    " say says screamed shouted tells told tweeted warned wondered writes wrote yelled"
)
_ATTRIBUTION = re.compile(  # “Why?” | Mara Voss asked.
    rf"\s+(?!(?:He|She|They|It|We|I)\b)(?:[A-Z][\w.’'-]*,?\s+){{1,5}}{_SPEECH}\b"
    r"(?!:|\s+(?:that|he|she|they|it|the|there|no)\b)"
)

# What sentencex may have missed: an abbreviation before a capital, a space lost after a stop.
_CANDIDATE = re.compile(rf"\.(?=(?P<opener>\s+{_OPENERS}\b(?!\.))|\s+[A-Z])|[.!?](?=[A-Z][a-z])")
_CLOSERS = re.compile(r"""(?:["'”’»)\]*]|“(?!\w)|\s»|\[\d{1,3}\])*""")
_CONTINUES = re.compile(r"\s*(?:[,;:)\]]|[-–—]+\s*[a-z])")
_LOWER_NEXT = re.compile(r"""\s+["“‘'(\[]*(?![a-z]+[A-Z])[^\W\d_A-Z]""")
_ADDRESS = re.compile(r"[/@_]|^www")

# Same length as what they replace, so that offsets stay; sentencex keeps quotations and asides
# whole and is quadratic on unclosed ones, so it never sees them.
_QUIET = dict.fromkeys(map(ord, '"“”„‟«»‹›「」『』()\n\r\t\v\f\x85\xa0\u2028\u2029'), " ")
_QUIET |= {ord("…"): ".", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}
_SINGLE_QUOTE = re.compile(r"['’‘](?!\w)|['‘](?<!\w.)")

_EOL = r"\n\r\v\f\x85\u2028\u2029"
_LINE = re.compile(rf"[^{_EOL}]+")
_GAP = re.compile(rf"(?>\r\n|[{_EOL}])(?:[^\S{_EOL}]*[{_EOL}])+")
_BULLET = re.compile(r"\s*(?:[•●▪◦‣·*–—-]|\(?\d{1,2}[.)])\s")
_OPENS_BLOCK = re.compile(  # "2) The dam", "By Mara Voss", "Q: Why?", "LONDON (Northwire)"
    rf"{_BULLET.pattern}|\s|By [A-Z]|[QA][:.]\s|[A-Z]{{3,}}[\w ,.]*(?:\(|[-–—])"
)
_UNFINISHED = re.compile(
    r"(?:,|\b(?:a|an|and|as|at|by|for|from|in|its|of|on|or|said|that|the|to|with))\s*$"
)
_WEAK = [re.compile(rf"(?s:.*){end}\s") for end in (r"[.!?。！？][\"”’)]*", r"[;:,，；—–]", "")]


def split(text: str, language: str = "en") -> list[Span]:
    """Return the sentences of `text`; every visible character lies in exactly one.

    Headlines, bullets and table rows count as sentences of their own; a sentence may hold a
    newline where the text is hard-wrapped. No sentence is longer than `MAX_SENTENCE`. `language`
    is an ISO 639 code; an unknown code is read as English. No string raises an error.
    """
    return [
        span
        for lines in _groups(text)
        for block in _blocks(text, lines)
        for span in _sentences(text, block, language)
    ]


def _groups(text: str) -> Iterator[list[Span]]:
    """Yield the groups of lines that blank lines separate."""
    start = 0
    for end, after in [*(gap.span() for gap in _GAP.finditer(text)), (len(text), len(text))]:
        lines = [line for line in _LINE.finditer(text, start, end) if line[0].strip()]
        if lines:
            yield [Span(*line.span()) for line in lines]
        start = after


def _blocks(text: str, lines: list[Span]) -> Iterator[Span]:
    """Yield the paragraphs of a group of lines, in pieces of at most `_MAX_BLOCK` code points."""
    shown = [text[line.start : line.end] for line in lines]
    margin = min(len(line) - len(line.lstrip()) for line in shown)
    shown = [line[margin:] for line in shown]
    width = max(map(len, shown))
    wrapped = len(lines) > 1 and width in _WRAP_WIDTH
    # Where paragraphs open with an indent, an unindented line continues the line above.
    indented = wrapped and any(line[0].isspace() for line in shown)
    start = lines[0].start
    for i, (here, then) in enumerate(pairwise(shown)):
        if _OPENS_BLOCK.match(then) or not (
            _runs_on(here, then)
            or (wrapped and _fills(here, then, width))
            or (indented and here.rstrip()[-1] not in ".!?:" and not _BULLET.match(here))
        ):
            yield from _pieces(text, start, lines[i].end, _MAX_BLOCK)
            start = lines[i + 1].start
    yield from _pieces(text, start, lines[-1].end, _MAX_BLOCK)


def _runs_on(here: str, then: str) -> bool:
    """Return whether a line plainly runs on: it ends in "the", or the next is in lower case."""
    return bool(_UNFINISHED.search(here)) or (then[0].islower() and here.rstrip()[-1] not in "!?:;")


def _fills(here: str, then: str, width: int) -> bool:
    """Return whether the next word would not have fitted into the width of the text."""
    room = width - 3 - len(here)
    return len(here) >= _WRAP_WIDTH.start and 1 + len(then.split(maxsplit=1)[0]) > room


def _sentences(text: str, block: Span, language: str) -> Iterator[Span]:
    body = text[block.start : block.end]
    start = 0
    for cut in [*_cuts(body, language), len(body)]:
        if not _inside_aside(body, start, cut):
            yield from _pieces(text, block.start + start, block.start + cut, MAX_SENTENCE)
            start = cut


def _cuts(body: str, language: str) -> list[int]:
    """Return the offsets at which a sentence ends, after its closing quotation marks."""
    shadow = _SINGLE_QUOTE.sub(" ", body.translate(_QUIET))
    if bullet := _BULLET.match(shadow):
        shadow = " " * bullet.end() + shadow[bullet.end() :]
    boundaries = get_sentence_boundaries(language.encode("ascii", "ignore").decode(), shadow)
    ends = {b["start_index"] + len(b["text"].rstrip()) for b in boundaries}
    for match in _CANDIDATE.finditer(shadow):
        if match.end() not in ends and _closes(_token(shadow, match.start()), match):
            ends.add(match.end())
    cuts = {closed.end() for end in ends if (closed := _CLOSERS.match(body, end))}
    return sorted(cut for cut in cuts if 0 < cut < len(body) and not _goes_on(body, cut))


def _token(text: str, end: int) -> str:
    """Return the last word before `end`, up to 24 characters, without opening quotation marks."""
    words = text[max(0, end - 24) : end].rsplit(maxsplit=1)
    return words[-1].lstrip("\"'“‘([") if words else ""


def _closes(word: str, candidate: re.Match[str]) -> bool:
    """Return whether a stop after `word` closes a sentence that sentencex did not split."""
    if not candidate.string[candidate.end()].isspace():
        return word[-2:].islower()
    if word in _WORDS or candidate.string[candidate.start() - 1].isspace():
        return True
    initials = word[-1:].isalpha() and word[-2:-1] in (".", "")
    return bool(candidate["opener"]) and (initials or word in _CLOSABLE)


def _goes_on(body: str, cut: int) -> bool:
    """Return whether the sentence continues after what looks like its end."""
    token = _token(body, cut)
    bare = token.rstrip("\"'”’»“)]*")
    word, stop = bare.rstrip(".!?…"), bare[-1:]
    quoted = bare != token
    if not body[cut].isspace() and stop in ".!?":
        glued = token + body[cut : cut + 24].split(maxsplit=1)[0]
        return not (word[-2:].islower() and body[cut].isupper()) or bool(_ADDRESS.search(glued))
    if _CONTINUES.match(body, cut) or word in _NEVER_LAST:
        return True
    before = _MONSIEUR if word == "M" else _TIME if word in ("a.m", "p.m") else None
    if before and before.match(body, cut):
        return True
    if bare in ("Q.", "A.") and body[max(0, cut - 40) : cut - 2].rstrip()[-1:] in (*".?!", ""):
        return True
    if _LOWER_NEXT.match(body, cut):
        return quoted or bare.endswith((*"?!…", "..")) or len(word) <= _SHORT
    return quoted and stop in "?!…" and bool(_ATTRIBUTION.match(body, cut))


def _inside_aside(body: str, start: int, cut: int) -> bool:
    """Return whether `cut` falls into a parenthesis that the sentence opens and closes."""
    opened = body.rfind("(", start, cut)
    if opened < 0 or not body[start:opened].strip() or body.find(")", opened, cut) >= 0:
        return False
    return body.find(")", cut, opened + _MAX_ASIDE) >= 0


def _pieces(text: str, start: int, end: int, limit: int) -> Iterator[Span]:
    """Yield `text[start:end]` without outer whitespace, in pieces of up to `limit` code points."""
    while start < end:
        cut = end if end - start <= limit else _weakest(text, start + limit // 2, start + limit)
        piece = text[start:cut]
        bare = piece.strip()
        if any(character.isprintable() and character != " " for character in bare):
            first = start + len(piece) - len(piece.lstrip())
            yield Span(first, first + len(bare))
        start = cut


def _weakest(text: str, low: int, high: int) -> int:
    """Return where to cut `text[low:high]`: at a sentence, a clause, a word or a character."""
    for pattern in _WEAK:
        if match := pattern.match(text, low, high):
            return match.end()
    for cut in range(high, low, -1):
        if not _joins(text[cut - 1]) and not _joins(text[cut]):
            return cut
    return high


def _joins(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf", "Cs", "Sk"}


def closes_unopened(text: str) -> bool:
    """Return whether a text ends with a mark that closes a quotation opened before the text."""
    if text.endswith("”"):
        return text.count("“") < text.count("”")
    return text.endswith('"') and text.count('"') % 2 == 1
