"""Turn text into terms for full-text search, BM25 and name matching.

Articles and questions go through the same function, so that different spellings match: case,
accents, possessives, hyphens, dotted abbreviations ("U.S." and "US"), thousands separators, short
units of money and share ("$1.2bn", "7%"), British and American spelling, and word forms (irregular
forms by a table, the rest by Snowball's English stemmer, Porter 2001) do not matter.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from itertools import chain

import Stemmer

STOP_WORDS = frozenset(
    "a about after again against all also am an and any are as at be because been before being"
    " between both but by can could did do does doing during each few for from further had has"
    " have having he her here hers him his how i if in into is it its itself just me more most my"
    " no nor not now of off on once only or other our ours out over own same she should so some"
    " such than that the their theirs them then there these they this those through to too under"
    " until up upon us very was we were what when where which while who whom whose why will with"
    " would you your article articles report reports reported reporting according published"
    " mentioned discussed happen happened happening many much anyone anybody someone somebody"
    " anything something everyone everybody everything ever yet mr mrs ms s t d ll m re ve".split()
)
# Of these, words that other large languages of Europe have as well ("was", "on", "article").
_SHARED = frozenset(
    "a all also am an any are article articles as but can d do has he her i if in just m me no of"
    " on once or s so t to under was will".split()
)
_ENGLISH = STOP_WORDS - _SHARED
# Words of those languages that say that a shared word is not English ("Was sagte der Rat?").
_FOREIGN = frozenset(
    "aus beim das dem den der des die ein eine er es hat ist mit nach sie sind und vom von war wer"
    " wie wo zu zum zur au aux ce dans elle est et il la le les où par pour que qui sont un une"
    " al como con del el en es esta fue las los por qué quién se su una y che chi di gli lo per"
    " het een hij ook van voor wat e os não quem".split()
)
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[a-z]\.(?:[a-z]\.)+|\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_SHORT_UNITS = {"bn": "billion", "mn": "million", "tn": "trillion", "pc": "percent"}
_AFTER_MONEY = {"b": "billion", "m": "million", "k": "thousand"}
_MONEY = re.compile(r"[$£€]\d")
# Maps British and American spellings to one, in articles and questions alike, so that other words
# that fit ("resource", "capsize") still match themselves. It is "-ise", since "revise" has to match
# "revision".
_SPELLINGS = (
    (re.compile(r"(?<=[a-z]{3})our"), "or"),
    (re.compile(r"(?<=[a-z]{2})tre(s?)$"), r"ter\1"),
    (re.compile(r"(?<=[a-z]{3})(i|y)z(e[ds]?|ing|ers?|ations?)$"), r"\1s\2"),
    (re.compile(r"^(def|off|lic|pret)ence"), r"\1ense"),
    (re.compile(r"^(program)me|^(kilogram)me"), r"\1\2"),
    (re.compile(r"a(?=em)|(?<=p)a(?=ed)|^o(?=est|esoph|edem)|(?<=f)o(?=et)"), ""),  # Greek ae, oe
)
# Irregular forms, each after its base form. Forms that mostly mean something else are left out:
# "fed", "born", "wound", "ground", "bit", "lay", "leaves".
_FORMS = """
arise arose arisen, awake awoke awoken, beat beaten, become became, begin began begun, bend bent,
bite bitten, bleed bled, blow blew blown, break broke broken, breed bred, bring brought,
build built, burn burnt, buy bought, catch caught, choose chose chosen, cling clung, come came,
creep crept, deal dealt, dig dug, do done, draw drew drawn, dream dreamt, drink drank drunk,
drive drove driven, dwell dwelt, eat ate eaten, fall fell fallen, feel felt, fight fought,
find found, flee fled, fling flung, fly flew flown, forbid forbade forbidden,
foresee foresaw foreseen, forget forgot forgotten, forgive forgave forgiven, freeze froze frozen,
get got gotten, give gave given, go went gone, grow grew grown, hang hung, hear heard,
hide hid hidden, hold held, keep kept, kneel knelt, know knew known, lay laid, lead led,
leap leapt, learn learnt, leave left, lend lent, light lit, lose lost, make made, mean meant,
meet met, mislead misled, mistake mistook mistaken, overcome overcame, overtake overtook overtaken,
overthrow overthrew overthrown, pay paid, rebuild rebuilt, ride rode ridden, ring rang rung,
rise rose risen, run ran, say said, see saw seen, seek sought, sell sold, send sent,
shake shook shaken, shine shone, shoot shot, show shown, shrink shrank shrunk, sing sang sung,
sink sank sunk, sit sat, sleep slept, slide slid, speak spoke spoken, spend spent, spill spilt,
spin spun, spring sprang sprung, stand stood, steal stole stolen, stick stuck, sting stung,
strike struck, strive strove striven, swear swore sworn, sweep swept, swell swollen,
swim swam swum, swing swung, take took taken, teach taught, tear tore torn, tell told,
think thought, throw threw thrown, undergo underwent undergone, understand understood,
undertake undertook undertaken, uphold upheld, wake woke woken, wear wore worn, weave wove woven,
weep wept, win won, withdraw withdrew withdrawn, withhold withheld, write wrote written,
man men, woman women, child children, foot feet, tooth teeth, goose geese, mouse mice, wife wives,
knife knives, wolf wolves, half halves, shelf shelves, thief thieves, loaf loaves, crisis crises,
criterion criteria, phenomenon phenomena, index indices
"""
_BASE = {form: base for base, *forms in map(str.split, _FORMS.split(",")) for form in forms}
_CLITICS = frozenset({"s", "d", "ll", "m", "re", "ve", "t"})
_ELIDED = frozenset("c d j l m n qu s t".split())  # French: "l'opéra", "qu'il"
_MAX_TERM_CHARS = 40
_STEMMER = Stemmer.Stemmer("english")
_STEMMING = threading.Lock()  # a stemmer is not thread-safe: it keeps the current word


def terms(text: str) -> list[str]:
    """Return all terms of a text, in order, stop words included."""
    stretches = text.casefold().replace("per cent", "percent").replace("%", " percent").split()
    return list(chain.from_iterable(map(_terms_of, stretches)))


def content_terms(text: str) -> list[str]:
    """Return the distinct terms of a text, in order, without stop words.

    If there are only stop words, they are kept ("Who is it?").
    """
    distinct = list(dict.fromkeys(terms(text)))
    kept = [term for term in distinct if term not in STOP_TERMS]
    return kept or distinct


def is_english(text: str) -> bool:
    """Return whether the common words of a text are English.

    Of 45,195 English questions 30 fail, and of 230 German, French and Spanish sentences and
    questions 8 pass.
    """
    words = {*_LETTERS.findall(text.casefold())}
    return not _ENGLISH.isdisjoint(words) or (
        not _SHARED.isdisjoint(words) and _FOREIGN.isdisjoint(words)
    )


@lru_cache(maxsize=200_000)
def _terms_of(stretch: str) -> tuple[str, ...]:
    """Return the terms of lower-case text without white space; cached, since words recur."""
    if not stretch.isascii():
        folded = unicodedata.normalize("NFKD", stretch.replace("’", "'"))
        stretch = "".join(char for char in folded if not unicodedata.combining(char))
    words = _WORD.findall(stretch)
    units = _SHORT_UNITS | _AFTER_MONEY if _MONEY.search(stretch) else _SHORT_UNITS
    for place in range(1, len(words)):
        if words[place - 1][0].isdigit():
            words[place] = units.get(words[place], words[place])
    return tuple(_term(word)[:_MAX_TERM_CHARS] for word in words)


def _term(word: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "")
    head, _, tail = word.replace(".", "").partition("'")
    word = head if tail in _CLITICS else tail if head in _ELIDED and tail else head + tail
    if not word.isascii():
        return word
    word = _BASE.get(word, word)
    for pattern, spelling in _SPELLINGS:
        word = pattern.sub(spelling, word)
    with _STEMMING:
        return str(_STEMMER.stemWord(word))


STOP_TERMS = STOP_WORDS | {term for word in STOP_WORDS for term in terms(word)}
