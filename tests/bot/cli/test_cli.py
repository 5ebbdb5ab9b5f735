"""The `onrecord` command as scripts rely on it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import discord
import pytest
from support.answers import answer_of
from support.fakes import FakeEncoder

from bot.cli import app, context, output

ROWS: list[dict[str, Any]] = [
    {
        "id": "dam",
        "title": "Gate fails",
        "text": "A gate at Hallow Dam failed on Monday. Two people died.",
        "publisher": "Northwire",
        "published": "2026-03-09T11:20:00+00:00",
        "url": "https://northwire.example/dam",
    },
    {
        "_id": "cup",
        "title": "Cup final",
        "text": "Athletic reached the cup final. Fans cheered.",
        "metadata": {"source": "Courier", "published_at": "2026-03-10"},
    },
]


class Shell:
    """Runs the command in this process, with a fake encoder and a data folder of its own."""

    def __init__(
        self, data: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.data = data
        self._patch = patch
        self._capture = capture
        self.err = ""

    def __call__(self, *arguments: str, status: int = 0, stdin: bytes = b"") -> str:
        """Standard output of `onrecord ARGUMENTS`, which must end with `status`."""
        stream = type("Stdin", (), {"buffer": io.BytesIO(stdin)})()
        self._patch.setattr(sys, "argv", ["onrecord", *arguments])
        self._patch.setattr(sys, "stdin", stream)
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, self.err = self._capture.readouterr()
        assert (ended.value.code or 0) == status, self.err
        return out

    def json(self, *arguments: str, status: int = 0, stdin: bytes = b"") -> Any:
        """The one JSON document that the command prints."""
        return json.loads(self(*arguments, "--json", status=status, stdin=stdin))


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setenv("ONRECORD_DATA", str(tmp_path / "data"))
    for name in ("ONRECORD_COLLECTION", "ONRECORD_CONFIG", "DISCORD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(context, "SentenceTransformerEncoder", lambda *_, **__: FakeEncoder())
    return Shell(tmp_path / "data", monkeypatch, capsys)


@pytest.fixture
def stocked(run: Shell) -> Shell:
    run("add", "-", stdin="\n".join(map(json.dumps, ROWS)).encode())
    return run


COMMANDS = (
    "demo bot add reindex articles article remove restore ask search evaluate history backup"
    " recover doctor sources undo export correct retract erase-all"
)


@pytest.mark.parametrize("name", COMMANDS.split())
def test_every_command_explains_itself(
    run: Shell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--help` of each command lists its global options, and works with broken settings."""
    monkeypatch.setenv("ONRECORD_CONFIG", "/nowhere.toml")
    shown = run(name, "--help")
    assert f"Usage: onrecord {name}" in shown
    for option in ("--data", "--collection", "--config", "--json", "--debug"):
        assert option in shown
    assert run(name, "-h") == shown


def test_global_options_stand_before_or_after_the_command(stocked: Shell, tmp_path: Path) -> None:
    """Both places work, and the one after the command wins."""
    other = str(tmp_path / "other")
    everywhere = [
        ("--data", other, "--json", "articles"),
        ("articles", "--json", "--data", other),
        ("--json", "--data", str(stocked.data), "articles", f"--data={other}"),
    ]
    for arguments in everywhere:
        assert json.loads(stocked(*arguments)) == {"articles": []}
    assert len(json.loads(stocked("--json", "articles"))["articles"]) == 2


@pytest.mark.parametrize("note", ["--json", "--debug", "--data"])
def test_a_note_that_looks_like_an_option_is_a_note(stocked: Shell, note: str) -> None:
    """The value of an option is never taken for a global option."""
    shown = stocked("correct", "dam", "--note", note)
    assert shown.startswith("corrected ")
    assert shown.endswith(f": {note}\n")


def test_tracebacks_need_debug(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error is one sentence and status 1, and a traceback only with --debug."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(output, "articles", fail)
    stocked("articles", status=1)
    assert stocked.err.startswith("onrecord: unexpected error (ZeroDivisionError()")
    monkeypatch.setattr(sys, "argv", ["onrecord", "articles", "--debug"])
    with pytest.raises(ZeroDivisionError):
        app.main()


def test_python_m_bot_runs_the_command() -> None:
    """`python -m bot` is the command, with its version and shell completion."""
    command = [sys.executable, "-m", "bot"]
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("onrecord ")
    environment = os.environ | {
        "_ONRECORD_COMPLETE": "complete_bash",
        "COMP_WORDS": "onrecord articles --rem",
        "COMP_CWORD": "2",
    }
    completed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert completed.stdout.split() == ["--removed"]


def test_add_reports_what_it_did(run: Shell) -> None:
    """`add --json` has exactly the promised fields, and given ids are kept."""
    made = run.json("add", "-", stdin="\n".join(map(json.dumps, ROWS)).encode())
    assert {"generation", "added", "updated", "unchanged", "failed", "seconds"} <= set(made)
    assert [one["article_id"] for one in made["added"]] == ["dam", "cup"]
    assert made["added"][0] == {"article_id": "dam", "title": "Gate fails", "sentences": 2}


def test_bad_rows_fail_alone(run: Shell) -> None:
    """A row without text is listed with its line and a sentence; the rest goes in; status 1."""
    rows = [json.dumps(ROWS[0]), '{"id": "x", "title": "No text"}', "not json", json.dumps(ROWS[1])]
    made = run.json("add", "-", stdin="\n".join(rows).encode(), status=1)
    assert len(made["added"]) == 2
    assert [one["source"] for one in made["failed"]] == [
        "standard input, line 2",
        "standard input, line 3",
    ]
    assert all(one["error"].endswith(".") for one in made["failed"])


def test_article_is_stored_to_the_letter(stocked: Shell) -> None:
    """`article --json` gives the stored text, revision and byline."""
    found = stocked.json("article", "dam")
    assert found["text"] == ROWS[0]["text"]
    assert (found["revision"], found["retired"], found["publisher"]) == (1, False, "Northwire")


def test_ask_quotes_are_slices_of_the_stored_text(stocked: Shell) -> None:
    """In `ask --json` each quote equals article.text[start:end] and cites a listed source."""
    given = stocked.json("ask", "Which gate failed at Hallow Dam on Monday?")
    assert {"answer_id", "question", "status", "confidence", "quotes", "citations"} <= set(given)
    assert {"agreement", "generation"} <= set(given)
    quotes = given["quotes"] or [given["closest"]]
    for quote in quotes:
        text = stocked.json("article", quote["article_id"])["text"]
        assert text[quote["start"] : quote["end"]] == quote["text"]
        assert quote["citation"] in [one["number"] for one in given["citations"]]


def test_ask_again_has_the_same_id(stocked: Shell) -> None:
    """The same question on the same generation has the same answer id; a change makes another."""
    first = stocked.json("ask", "Which gate failed?")["answer_id"]
    assert stocked.json("ask", "Which gate failed?")["answer_id"] == first
    stocked("remove", "cup")
    assert stocked.json("ask", "Which gate failed?")["answer_id"] != first


def test_search_explains_its_scores(stocked: Shell) -> None:
    """With --explain each result says what its score is made of, in numbers or in words."""
    for found in stocked.json("search", "gate failed", "--explain")["results"]:
        assert sum(found["features"].values()) == pytest.approx(found["score"], abs=0.01)
    words = " ".join(stocked("search", "gate failed", "-k", "1", "--explain").split())
    assert "has the question's meaning" in words
    assert "features" not in stocked.json("search", "gate failed")["results"][0]


def test_search_ranks_sentences_and_articles(stocked: Shell) -> None:
    """`search` gives ranks from 1 with falling scores, by sentence or by article."""
    found = stocked.json("search", "gate failed", "-k", "3")["results"]
    assert [one["rank"] for one in found] == [1, 2, 3]
    assert [one["score"] for one in found] == sorted((o["score"] for o in found), reverse=True)
    assert {"article_id", "sentence_id", "start", "end", "text"} <= set(found[0])
    by_article = stocked.json("search", "gate failed", "--by", "article")["results"]
    assert by_article[0]["article_id"] == "dam"
    assert set(by_article[0]) == {"rank", "score", "article_id"}


def test_filters_restrict(stocked: Shell) -> None:
    """Publisher, dates, also in words, and moments restrict what is ranked."""
    only = stocked.json("search", "gate failed", "--publisher", "courier")["results"]
    assert {one["article_id"] for one in only} == {"cup"}
    late = stocked.json("search", "gate failed", "--since", "2026-03-10")["results"]
    assert {one["article_id"] for one in late} == {"cup"}
    early = stocked.json("search", "cup", "--as-of", "2026-03-09")["results"]
    assert {one["article_id"] for one in early} == {"dam"}
    noon = stocked.json("search", "gate failed", "--since", "2026-03-09T12:00:00+00:00")["results"]
    assert {one["article_id"] for one in noon} == {"cup"}
    words = stocked.json("search", "gate failed", "--until", "9 March 2026")["results"]
    assert {one["article_id"] for one in words} == {"dam"}


def test_queries_are_answered_in_order(stocked: Shell, tmp_path: Path) -> None:
    """`--queries` prints one JSON line a query, in order, ids kept, and goes on after a bad one."""
    path = tmp_path / "queries.jsonl"
    path.write_text('{"_id": "q1", "text": "gate"}\n{"_id": "q2"}\n{"_id": "q3", "text": "cup"}\n')
    lines = stocked("search", "--queries", str(path), "-k", "1", status=1).splitlines()
    assert [json.loads(line)["id"] for line in lines][0::2] == ["q1", "q3"]
    assert "error" in json.loads(lines[1])
    lines = stocked("ask", "--queries", str(path), status=1).splitlines()
    assert json.loads(lines[0])["question"] == "gate"


def test_remove_and_restore(stocked: Shell) -> None:
    """A removed article is neither listed nor found; restore brings it back."""
    assert [one["article_id"] for one in stocked.json("remove", "dam")["removed"]] == ["dam"]
    assert [one["article_id"] for one in stocked.json("articles")["articles"]] == ["cup"]
    assert stocked.json("article", "dam")["retired"] is True
    assert [one["article_id"] for one in stocked.json("restore", "dam")["restored"]] == ["dam"]
    assert len(stocked.json("articles")["articles"]) == 2
    failed = stocked.json("remove", "nothing", status=1)["failed"]
    assert failed[0]["source"] == "nothing"


def test_history_names_who_and_what(stocked: Shell) -> None:
    """The audit log has a line a generation, newest first."""
    stocked("remove", "dam")
    events = stocked.json("history")["events"]
    assert [one["generation"] for one in events] == [2, 1]
    assert events[0]["articles"] == {"removed": 1}


def test_reindex_takes_in_a_new_file(run: Shell, tmp_path: Path) -> None:
    """`reindex` reads the folders that were added, and only what is new."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "a.txt").write_text("A ferry ran aground at noon.")
    run("add", str(folder))
    (folder / "b.txt").write_text("The ferry was towed to port.")
    made = run.json("reindex")
    assert len(made["added"]) == 1
    assert made["unchanged"] == 1


def test_collections_are_apart(stocked: Shell) -> None:
    """A collection sees nothing of another, wherever the option stands."""
    stocked("add", "--collection", "other", "-", stdin=json.dumps(ROWS[0]).encode())
    assert len(stocked.json("articles", "--collection", "other")["articles"]) == 1
    assert len(stocked.json("--collection=default", "articles")["articles"]) == 2


def test_dry_run_says_what_would_be(run: Shell, tmp_path: Path) -> None:
    """A dry run tells what would become of each report, in those words, and stores nothing."""
    (tmp_path / "ferry.txt").write_text("A ferry ran aground at noon.")
    told = run("add", "--dry-run", str(tmp_path / "ferry.txt"))
    assert told.startswith("Would be added: 1 (1 sentence)\n")
    assert "Added" not in told
    assert run("add", str(tmp_path / "ferry.txt")).startswith("Added 1 (1 sentence)\n")
    assert len(run.json("articles")["articles"]) == 1


def test_files_that_are_passed_over_are_counted(run: Shell, tmp_path: Path) -> None:
    """In a folder, files of no known ending are not read, and it is said how many; hidden ones not.

    Named by itself such a file is read, whatever its ending.
    """
    folder = tmp_path / "reports"
    (folder / "more").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("a.txt", "b.png", "more/c.log", ".hidden.png", ".git/d.bin"):
        (folder / name).write_text("A ferry ran aground at noon.")
    assert run.json("add", "--dry-run", str(folder))["skipped"] == 2
    assert "Skipped 2 files in folders: none ends in .atom, " in run("add", str(folder))
    assert run.json("add", str(folder / "more" / "c.log"))["skipped"] == 0


def test_failures_name_their_file_once(run: Shell, tmp_path: Path) -> None:
    """A reason that begins with the name of its file does not say it a second time."""
    (tmp_path / "empty.txt").write_text("")
    for name in ("empty.txt", "nothing.txt"):
        told = run("add", str(tmp_path / name), status=1)
        assert told.count(name) == 1, told
    run("ask", "--queries", str(tmp_path / "queries.jsonl"), status=1)
    assert run.err.count("queries.jsonl") == 1


def test_history_of_nothing_is_a_sentence(run: Shell) -> None:
    """Before anything was added, the log says so, and is an empty list to scripts."""
    assert run("history") == "Nothing has changed yet.\n"
    assert run.json("history") == {"events": []}


def test_article_shows_what_is_known_of_it(run: Shell) -> None:
    """Author, address and date stand over the text where they are known, and else not."""
    row = {**ROWS[0], "author": "Ida Roe"}
    run("add", "-", stdin="\n".join(map(json.dumps, (row, ROWS[1]))).encode())
    head = run("article", "dam").split("\n\n")[0].splitlines()
    assert head == [
        "Gate fails",
        "dam, revision 1",
        "publisher: Northwire",
        "by: Ida Roe",
        "published: 9 March 2026",
        "address: https://northwire.example/dam",
    ]
    bare = run("article", "cup")
    assert "by: " not in bare
    assert "address: " not in bare


def test_quotes_over_paragraphs_stay_together() -> None:
    """A quote that runs on in a new paragraph stands as one block, its lines the report's."""
    text = "The gate of Hallow Dam failed,\n\nsaid Mara Voss on Monday."
    told = output.answer(answer_of([text])).text
    assert "  “The gate of Hallow Dam failed,\n\n   said Mara Voss on Monday.” [1]\n" in told


@pytest.mark.parametrize("line", ["ask gate", "articles", "history", "reindex", "undo 0"])
def test_a_mistyped_collection_is_not_made(stocked: Shell, line: str) -> None:
    """Reading names the collections there are; asking an empty default one says to add reports."""
    stocked("--collection", "defualt", *line.split(), status=1)
    assert "collections there: default" in stocked.err
    assert not (stocked.data / "defualt").exists()


def test_the_empty_default_collection_says_what_to_do(run: Shell) -> None:
    """Before anything was added, a question is declined with how to add reports."""
    assert run.json("ask", "Which gate failed?")["status"] == "declined"
    assert "onrecord add" in run.err


def test_sources_are_listed_and_looked_after(run: Shell, tmp_path: Path) -> None:
    """Sources come with `add` and `--add`, wait for their time, rest, fail, and are dropped."""
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("A ferry ran aground at noon.")
    two.write_text("The ferry was towed to port.")
    run("add", str(one))
    listed = run.json("sources", "--add", str(two), "--every", "60")["sources"]
    assert [(s["source"], s["every"]) for s in listed] == [(str(one), None), (str(two), 60)]
    assert len(run.json("reindex", "--due")["added"]) == 1
    two.unlink()
    assert run.json("reindex", "--due")["failed"] == []
    run("reindex", status=1)
    (_, gone) = run.json("sources")["sources"]
    assert (gone["failures"], "neither a file" in gone["error"]) == (1, True)
    assert "failed 1 time:" in run("sources")
    assert run("sources", "--add", str(one)).splitlines()[0].startswith(f"{one}  (file, on reindex")
    assert len(run("sources", "--add", str(one)).splitlines()) == 1
    assert run("sources", "--pause", str(two)).startswith(f"{two}  (file, paused")
    assert run.json("reindex")["unchanged"] == 1
    run("sources", "--resume", str(two))
    assert len(run.json("sources", "--forget", str(two))["sources"]) == 1
    run("sources", "--pause", str(two), status=1)
    run("sources", "--add", str(tmp_path / "nothing"), status=1)
    run("sources", "--every", "5", status=2)
    run("sources", "--add", str(one), "--every", "0", status=1)


def test_corrections_and_retractions_show(stocked: Shell) -> None:
    """A corrected report says so wherever it is cited; a retracted one is quoted no more."""
    made = stocked.json("correct", "dam", "--note", "It was Tuesday.")
    assert made["notice"]["note"] == "It was Tuesday."
    (cited,) = stocked.json("ask", "Which gate failed?")["citations"]
    assert (cited["notice"]["kind"], cited["notice"]["actor"]) == ("corrected", "operator")
    assert "It was Tuesday." in stocked("ask", "Which gate failed?") + stocked("article", "dam")
    assert "Made up." in stocked("retract", "dam", "--note", "Made up.")
    assert stocked.json("articles", "--removed")["articles"][0]["notice"]["kind"] == "retracted"
    newest = stocked.json("history")["events"][0]
    assert (newest["note"], newest["titles"]) == ("Made up.", ["Gate fails"])
    stocked("correct", "nobody", "--note", "x", status=1)
    stocked("correct", "dam", "--note", " ", status=1)
    assert len(stocked.json("undo", "1")["restored"]) == 1
    assert stocked.json("article", "dam")["notice"] is None
    assert "back to generation 1" in stocked("history")
    stocked("undo", "99", status=1)


def test_export_and_add_again(stocked: Shell, tmp_path: Path) -> None:
    """What `export` writes, `add` reads: the same articles, by the same ids."""
    file = tmp_path / "all.jsonl"
    assert stocked.json("export", str(file))["articles"] == 2
    assert stocked.json("add", str(file))["unchanged"] == 2
    file.write_text("mine")
    stocked("export", str(file), status=1)
    assert (file.read_text(), "--force" in stocked.err) == ("mine", True)
    assert stocked("export", str(file), "--force") == f"2 articles in {file}\n"
    stocked("export", str(tmp_path / "no" / "folder"), status=1)
    assert [*tmp_path.glob("*.draft")] == []


def test_erasing_asks_for_the_name(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection is deleted only by its name, typed or given."""
    stocked("erase-all", "--yes", "other", status=1)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: "no")
    stocked("erase-all", status=1)
    assert len(stocked.json("articles")["articles"]) == 2
    assert stocked.json("erase-all", "--yes", "default") == {"erased": "default"}
    assert not (stocked.data / "default").exists()


def test_a_damaged_collection_is_told_and_can_be_erased(stocked: Shell) -> None:
    """Asking says that it is damaged and what to do; erasing it works all the same."""
    folder = stocked.data / "default"
    (folder / "catalogue.sqlite3").write_bytes(b"no database" * 1_000)
    stocked("ask", "Who was warned?", status=1)
    assert "is damaged" in stocked.err
    assert stocked.json("erase-all", "--yes", "default") == {"erased": "default"}
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["ask", ""], 2),
        (["ask", "x" * 10_000], 2),
        (["ask"], 2),
        (["search", "gate", "-k", "0"], 2),
        (["ask", "gate", "--since", "soonish"], 2),
        (["ask", "gate", "--as-of", "2026-03-09T99:00"], 2),
        (["ask", "gate", "--publisher", "Nobody"], 2),
        (["--config", "/nowhere.toml", "articles"], 2),
        (["--collection", "../up", "articles"], 2),
        (["article", "nothing"], 1),
        (["bot"], 2),
        (["evaluate", "/nowhere"], 1),
        (["add", "/nowhere.txt"], 1),
        (["frobnicate"], 2),
    ],
)
def test_bad_input_gets_one_sentence(stocked: Shell, arguments: list[str], status: int) -> None:
    """Wrong use ends with status 2, other failures with 1; no traceback, nothing lost."""
    out = stocked(*arguments, status=status)
    assert "Traceback" not in stocked.err + out
    assert stocked.err.strip() or out.strip()
    assert len(stocked.json("articles")["articles"]) == 2


def test_data_folder_that_cannot_be_made(run: Shell, tmp_path: Path) -> None:
    """A data folder below a file is refused with one sentence."""
    (tmp_path / "file").write_text("")
    run("--data", str(tmp_path / "file" / "below"), "articles", status=1)
    assert run.err.count("\n") == 1
    assert "folder" in run.err


def test_doctor_looks_at_everything(stocked: Shell) -> None:
    """`doctor` finds a healthy collection healthy."""
    checks = {one["check"]: one for one in stocked.json("doctor")["checks"]}
    assert all(one["ok"] for one in checks.values())
    assert checks["collection default"]["says"] == "2 articles, 4 sentences"


def test_doctor_names_failing_sources(stocked: Shell, tmp_path: Path) -> None:
    """A source that cannot be read is told with its reason, and leaves the collection healthy."""
    gone = tmp_path / "gone.txt"
    gone.write_text("The ferry sank.", encoding="utf-8")
    stocked("sources", "--add", str(gone))
    gone.unlink()
    stocked("reindex", status=1)
    checks = {one["check"]: one for one in stocked.json("doctor")["checks"]}
    assert f"1 source failing, such as: {gone} is neither" in checks["collection default"]["says"]


class Discord(BaseHTTPRequestHandler):
    """What Discord tells a bot about itself: its name, and its servers with its permissions."""

    permissions = discord.Permissions.all_channel()

    def do_GET(self) -> None:
        """Answer the three requests that looking takes; no other token is known."""
        known = self.headers["Authorization"] == "Bot very-secret"
        user = {"id": "1", "username": "record", "discriminator": "0", "avatar": None}
        server = {"id": "7", "name": "Tessen News", "permissions": str(self.permissions.value)}
        about = {"id": "1", "name": "record", "icon": None, "description": "", "flags": 0} | {
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "",
            "owner": user,
        }
        told = {"/users/@me": user, "/users/@me/guilds": [server]}.get(self.path.split("?")[0])
        body = json.dumps(told or about).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def at_discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Discord]]:
    """A Discord on loopback, whose answers can be set."""
    told = type("Statement", (Discord,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), told) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(discord.http.Route, "BASE", f"http://127.0.0.1:{server.server_port}")
        yield told
        server.shutdown()


def test_doctor_names_what_erasing_left(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasing that was cut short leaves no collection, and `doctor` says what to delete."""

    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", cut)
        stocked("erase-all", "--yes", "default", status=130)
    (left,) = stocked.data.glob(".default-*")
    checks = {one["check"]: one for one in stocked.json("doctor", status=1)["checks"]}
    assert checks["data folder"]["says"].endswith(str(left))
    assert [name for name in checks if name.startswith("collection")] == []


@pytest.mark.usefixtures("at_discord")
def test_token_is_never_printed(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token's value is in no output, whatever is asked for."""
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    assert "very-secret" not in stocked("doctor") + stocked.err


def test_doctor_asks_discord(
    stocked: Shell, at_discord: type[Discord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` names what the bot may not do and where, and tells a token that is refused."""
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    assert "all permissions in 1 server" in stocked("doctor")
    at_discord.permissions = discord.Permissions(view_channel=True, read_message_history=True)
    lacking = stocked("doctor", status=1)
    assert "in “Tessen News” the bot may not Send Messages" in lacking
    assert "Read Message History" not in lacking
    monkeypatch.setenv("DISCORD_TOKEN", "mistyped")
    assert "refuses the token" in stocked("doctor", status=1)


def test_evaluate_measures_a_set(run: Shell, tmp_path: Path) -> None:
    """`evaluate` prints the promised figures for a set in BEIR's layout with evidence."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        "\n".join(json.dumps(row | {"_id": row.get("_id", "dam")}) for row in ROWS)
    )
    (folder / "queries.jsonl").write_text(
        '{"_id": "1", "text": "Which gate failed on Monday?", "metadata": {"answerable": true}}\n'
        '{"_id": "2", "text": "Who painted the ceiling?", "metadata": {"answerable": false}}\n'
    )
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tdam\t1\n")
    evidence = {
        "query_id": "1",
        "article_id": "dam",
        "text": "A gate at Hallow Dam failed on Monday.",
    }
    (folder / "evidence.jsonl").write_text(json.dumps(evidence))
    found = run.json("evaluate", str(folder))
    assert found["dataset"] == "tiny"
    assert found["queries"] == 2
    for figure in ("ndcg@10", "recall@10", "mrr@10", "hit@4", "hit@10", "evidence_recall@10"):
        assert found[figure] == 1.0
    assert found["decline_auroc"] == 1.0
    assert found["seconds_per_query"] > 0


def test_backup_and_recover(stocked: Shell, tmp_path: Path) -> None:
    """A copy brings back what was stored when it was made, and answers from that again."""
    copy = tmp_path / "copy.sqlite3"
    copy.write_text("mine")
    stocked("backup", str(copy), status=1)
    assert (copy.read_text(), "--force" in stocked.err) == ("mine", True)
    assert stocked.json("backup", str(copy), "--force")["articles"] == 2
    stocked("backup", str(copy), status=1)  # not even in place of an earlier one
    before = stocked.json("ask", "Which gate failed?")
    stocked("remove", "dam", "cup")
    stocked("recover", str(copy))
    assert len(stocked.json("articles")["articles"]) == 2
    assert stocked.json("ask", "Which gate failed?") == before
    stocked("recover", str(tmp_path / "nothing"), status=1)
    (tmp_path / "junk").write_text("no database")
    stocked("recover", str(tmp_path / "junk"), status=1)
    stocked("backup", str(tmp_path / "no" / "folder"), status=1)
    assert len(stocked.json("articles")["articles"]) == 2
