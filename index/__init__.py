"""Index, rank and quote news reports; knows nothing of Discord and nothing of async.

`Archive` is one collection. The bot and the command line import the names below and nothing else;
CONTRIBUTING.md explains the packages behind them.
"""

from index.answering.ask import widened
from index.answering.followup import is_follow_up
from index.answering.intent import Intent, intent
from index.answering.timeline import Timeline
from index.archive import DEFAULT_THRESHOLD, MAX_NOTE_CHARS, Archive
from index.domain import (
    Act,
    Agreement,
    Answer,
    Article,
    Citation,
    CitedQuote,
    Failure,
    Filters,
    News,
    Notice,
    NoticeKind,
    Passage,
    Quote,
    Sentence,
    Side,
)
from index.encoder import (
    PACKAGED_MODEL,
    Encoder,
    PackagedEncoder,
    Vectors,
    load_encoder,
)
from index.errors import (
    CancelledError,
    EncoderError,
    InputError,
    ModelMismatchError,
    NotFoundError,
    OnRecordError,
    QuestionError,
    QuoteError,
    SettingsError,
    SourceError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreVersionError,
    optional,
)
from index.network import prepare_process
from index.precomputed import PrecomputedEncoder, encode_part
from index.ranking.query import MAX_QUESTION_CHARS
from index.ranking.rank import Ranking
from index.reader.excerpts import Excerpt
from index.reader.model import Reader, Reading, TrainedReader
from index.reading.formats import isolation_of_parsers
from index.reading.http import Fetcher
from index.reading.items import Omission
from index.reading.recognise import READABLE_SUFFIXES
from index.reading.sources import Upload
from index.reading.sources import read as read_source
from index.reading.urls import is_url
from index.results import ArticleChange, IngestResult, Progress, ProgressCallback
from index.schedule import Sources
from index.store.answers import AnswerLog, LoggedAnswer, StaleAnswer
from index.store.connections import CATALOGUE
from index.store.engines import engine_of
from index.store.inbox import Declined, Flagged, Week
from index.store.people import Kept, People, Viewer, Watch
from index.store.protocol import Engine
from index.store.sources import Source
from index.store.standing import Standing
from index.store.types import HistoryEvent, Noted, NoticeChange, Size
from index.text.periods import is_whole_day, parse_moment, parse_period
from index.text.sentences import Span
