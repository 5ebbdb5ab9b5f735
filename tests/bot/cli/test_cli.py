"""The `onrecord` command, as scripts use it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pty
import re
import sqlite3
import struct
import subprocess
import sys
import termios
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from support.answers import answer_of
from support.fakes import FakeEncoder
from support.shell import ROWS, Shell

from bot.cli import app, output
from index import CATALOGUE, AnswerLog, Archive, StoreError

COMMANDS = (
    "demo bot add reindex articles article remove restore ask search evaluate history backup"
    " copy encode recover doctor sources undo export correct retract erase-all why"
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


def test_embeddings_are_made_in_parts(run: Shell, tmp_path: Path) -> None:
    """`encode` writes files that `add --vectors` accepts; an invalid part is refused."""
    (tmp_path / "dam.txt").write_text("The dam failed. Nobody was warned.", encoding="utf-8")
    out = str(tmp_path / "part.npz")
    assert "2 sentences in" in run("encode", str(tmp_path / "dam.txt"), "--out", out)
    assert run.json("add", str(tmp_path / "dam.txt"), "--vectors", out)["failed"] == []
    run("encode", str(tmp_path), "--out", out, "--part", "3/2", status=2)
    assert "write 1/8" in run.err


def test_global_options_go_before_or_after_the_command(stocked: Shell, tmp_path: Path) -> None:
    """Global options work in both places, and an option after the command wins."""
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
    """An option's value that looks like a global option is still a value."""
    shown = stocked("correct", "dam", "--note", note)
    assert shown.startswith("Corrected on ")
    assert shown.endswith(f": {note}\n")


def test_tracebacks_need_debug(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is one sentence and status 1, with a traceback only with --debug."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(output, "articles", fail)
    stocked("articles", status=1)
    assert stocked.err.startswith("onrecord: unexpected error (ZeroDivisionError()")
    monkeypatch.setattr(sys, "argv", ["onrecord", "articles", "--debug"])
    with pytest.raises(ZeroDivisionError):
        app.main()


def test_python_m_bot_runs_the_command() -> None:
    """`python -m bot` runs the command, with its version and shell completion."""
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


def test_bad_rows_fail_alone(run: Shell) -> None:
    """`add` lists what it added by the given ids, and each failed row with its line number."""
    rows = [json.dumps(ROWS[0]), '{"id": "x", "title": "No text"}', "not json", json.dumps(ROWS[1])]
    result = run.json("add", "-", stdin="\n".join(rows).encode(), status=1)
    fields = "generation added updated restored removed unchanged failed omitted embedded seconds"
    assert result.keys() == {*fields.split(), "skipped"}
    assert [row["article_id"] for row in result["added"]] == ["dam", "cup"]
    assert result["added"][0] == {"article_id": "dam", "title": "Gate fails", "sentences": 2}
    sources = [row["source"] for row in result["failed"]]
    assert sources == ["standard input, line 2", "standard input, line 3"]
    assert all(row["error"].endswith(".") for row in result["failed"])


def test_omissions_are_listed(run: Shell) -> None:
    """A row with an ambiguous date is added without it; `add` lists that, and does not fail."""
    row = {**ROWS[0], "published": "01/04/1963"}
    result = run.json("add", "-", stdin=json.dumps(row).encode())
    assert [row["article_id"] for row in result["added"]] == ["dam"]
    (omission,) = result["omitted"]
    assert omission["source"] == "standard input, line 1"
    assert "“01/04/1963” of “Gate fails”" in omission["error"]
    shown = run("add", "-", stdin=json.dumps({**row, "id": "again"}).encode())
    assert "Parts left out 1\n  standard input, line 1: The date" in shown


def test_misspelt_question_is_shown_as_it_was_understood(stocked: Shell) -> None:
    """A corrected question is shown below the question as typed, and in the JSON document."""
    text = stocked("ask", "which gatte failled?")
    assert text.startswith("which gatte failled?\nUnderstood as: which gate failed?\n")
    assert stocked.json("ask", "which gatte failled?")["question"] == "which gate failed?"
    assert "Understood as" not in stocked("ask", "which gate failed?")


def test_ask_quotes_are_slices_of_the_stored_text(stocked: Shell) -> None:
    """In `ask --json`, each quote equals article.text[start:end] and cites a listed source."""
    given = stocked.json("ask", "Which gate failed at Hallow Dam on Monday?")
    assert {"answer_id", "question", "status", "confidence", "quotes", "citations"} <= set(given)
    assert {"agreement", "generation"} <= set(given)
    quotes = given["quotes"] or [given["closest"]]
    for quote in quotes:
        text = stocked.json("article", quote["article_id"])["text"]
        assert text[quote["start"] : quote["end"]] == quote["text"]
        assert quote["citation"] in [row["number"] for row in given["citations"]]


def test_an_answer_is_shown_again(stocked: Shell) -> None:
    """`why` repeats what `ask` printed, and says which of its reports were removed since."""
    given = stocked.json("ask", "Which gate failed?")
    again = stocked.json("why", given["answer_id"])
    assert given.items() <= again.items()
    assert (again["updated"], again["removed"]) == ([], [])
    text = stocked("why", f"`{given['answer_id']}`")
    assert "None of its reports has changed since." in text
    assert re.search(
        r"Searched all reports, generation 1,\nwith fake-256 \S+ reader-\S+\.\nOverall evidence: ",
        text,
    )
    assert re.search(r"\n  \[1\] (strong|fair|weak) \(0\.\d\d\): “A gate at Hallow", text)
    filtered = stocked.json("ask", "Which gate failed?", "--publisher", "Northwire")["answer_id"]
    assert "Searched only reports by Northwire, generation 1," in stocked("why", filtered)
    stocked("remove", "dam")
    (removed,) = stocked.json("why", given["answer_id"])["removed"]
    assert removed["article_id"] == "dam"
    shown = stocked("why", given["answer_id"])
    assert "A gate at Hallow Dam failed on Monday." in shown
    assert "Since then “Gate fails” was removed." in shown
    stocked("why", "nothing", status=1)


def test_old_answers_are_deleted(stocked: Shell) -> None:
    """Asking deletes answers that are older than the settings allow."""
    first = stocked.json("ask", "Which gate failed?")["answer_id"]
    with closing(sqlite3.connect(stocked.data / "default" / CATALOGUE)) as db, db:
        db.execute("UPDATE answer SET at = '2020-01-01T00:00:00+00:00'")
    second = stocked.json("ask", "Who reached the cup final?")["answer_id"]
    stocked("why", first, status=1)
    stocked("why", second)


def test_search_explains_its_scores(stocked: Shell) -> None:
    """With --explain, each result shows the parts of its score, the largest first."""
    for row in stocked.json("search", "gate failed", "--explain")["results"]:
        assert sum(row["features"].values()) == pytest.approx(row["score"], abs=0.01)
    words = " ".join(stocked("search", "gate failed", "-k", "1", "--explain").split())
    assert re.search(r" clause_\w+ [+-]\d+\.\d\d, ", words)
    assert "features" not in stocked.json("search", "gate failed")["results"][0]


def test_search_ranks_sentences_and_articles(stocked: Shell) -> None:
    """`search` prints ranks from 1 with falling scores, of sentences or of articles."""
    results = stocked.json("search", "gate failed", "-k", "3")["results"]
    assert [row["rank"] for row in results] == [1, 2, 3]
    assert [row["score"] for row in results] == sorted(
        (row["score"] for row in results), reverse=True
    )
    assert {"article_id", "sentence_id", "start", "end", "text"} <= set(results[0])
    by_article = stocked.json("search", "gate failed", "--by", "article")["results"]
    assert by_article[0]["article_id"] == "dam"
    assert set(by_article[0]) == {"rank", "score", "article_id"}


def test_filters_restrict_the_ranking(stocked: Shell) -> None:
    """Only reports that match the publisher and the dates, in words too, are ranked."""
    only = stocked.json("search", "gate failed", "--publisher", "courier")["results"]
    assert {row["article_id"] for row in only} == {"cup"}
    late = stocked.json("search", "gate failed", "--since", "2026-03-09T12:00:00+00:00")["results"]
    assert {row["article_id"] for row in late} == {"cup"}
    early = stocked.json("search", "cup", "--as-of", "2026-03-09")["results"]
    assert {row["article_id"] for row in early} == {"dam"}
    words = stocked.json("search", "gate failed", "--until", "9 March 2026")["results"]
    assert {row["article_id"] for row in words} == {"dam"}


def test_yesterday_is_one_day(stocked: Shell) -> None:
    """In questions and filters, "yesterday" is the day before today, or before --as-of."""
    yesterday = str(datetime.now(UTC).date() - timedelta(1))
    question = "What has changed since yesterday?"
    given = stocked.json("ask", question, "--since", "yesterday")
    assert given["news"]["since"] == yesterday
    filters = stocked.json("why", given["answer_id"])["filters"]
    assert filters["since"] == f"{yesterday}T00:00:00+00:00"
    earlier = stocked.json("ask", question, "--as-of", "2026-03-10")
    assert earlier["news"]["since"] == "2026-03-09"


def test_queries_are_answered_in_order(stocked: Shell, tmp_path: Path) -> None:
    """`--queries` prints a JSON line per query, in order and with its id, even after a bad line."""
    path = tmp_path / "queries.jsonl"
    path.write_text('{"_id": "q1", "text": "gate"}\n{"_id": "q2"}\n{"_id": "q3", "text": "cup"}\n')
    lines = stocked("search", "--queries", str(path), "-k", "1", status=1).splitlines()
    assert [json.loads(line)["id"] for line in lines][0::2] == ["q1", "q3"]
    assert "error" in json.loads(lines[1])
    lines = stocked("ask", "--queries", str(path), status=1).splitlines()
    assert json.loads(lines[0])["question"] == "gate"


def test_remove_and_restore(stocked: Shell) -> None:
    """A removed article is not listed; restore brings it back; the log has both, newest first."""
    assert [row["article_id"] for row in stocked.json("remove", "dam")["removed"]] == ["dam"]
    assert [row["article_id"] for row in stocked.json("articles")["articles"]] == ["cup"]
    assert stocked.json("article", "dam")["retired"] is True
    events = stocked.json("history")["events"]
    assert [(row["generation"], row["articles"]) for row in events] == [
        (2, {"removed": 1}),
        (1, {"added": 2}),
    ]
    assert [row["article_id"] for row in stocked.json("restore", "dam")["restored"]] == ["dam"]
    assert len(stocked.json("articles")["articles"]) == 2
    failed = stocked.json("remove", "nothing", status=1)["failed"]
    assert failed[0]["source"] == "nothing"


def test_dry_run_says_what_would_happen(run: Shell, tmp_path: Path) -> None:
    """A dry run says what would happen to each report, and stores nothing."""
    (tmp_path / "ferry.txt").write_text("A ferry ran aground at noon.")
    shown = run("add", "--dry-run", str(tmp_path / "ferry.txt"))
    assert shown.startswith("Would be added: 1 (1 sentence)\n")
    assert "Added" not in shown
    assert run("add", str(tmp_path / "ferry.txt")).startswith("Added 1 (1 sentence)\n")
    assert len(run.json("articles")["articles"]) == 1


def test_skipped_files_are_counted(run: Shell, tmp_path: Path) -> None:
    """Files of a folder with an unknown suffix are not read, but counted, except hidden files.

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
    """A reason that begins with the name of its file does not repeat it."""
    (tmp_path / "empty.txt").write_text("")
    for name in ("empty.txt", "nothing.txt"):
        shown = run("add", str(tmp_path / name), status=1)
        assert shown.count(name) == 1, shown


def test_article_shows_its_metadata(run: Shell) -> None:
    """Author, address and date are shown above the verbatim text if they are known."""
    row = {**ROWS[0], "author": "Ida Roe"}
    run("add", "-", stdin="\n".join(map(json.dumps, (row, ROWS[1]))).encode())
    stored = run.json("article", "dam")
    assert stored["text"] == ROWS[0]["text"]
    assert (stored["revision"], stored["retired"], stored["author"]) == (1, False, "Ida Roe")
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
    """A quote across paragraphs is printed as one block, with the report's own lines."""
    text = "The gate of Hallow Dam failed,\n\nsaid Mara Voss on Monday."
    shown = output.answer(answer_of([text])).text
    assert "  “The gate of Hallow Dam failed,\n\n   said Mara Voss on Monday.” [1]\n" in shown


@pytest.mark.parametrize("line", ["ask gate", "articles", "history", "reindex", "undo 0"])
def test_a_mistyped_collection_is_not_created(stocked: Shell, line: str) -> None:
    """Reading an unknown collection lists the existing ones, and creates none."""
    stocked("--collection", "defualt", *line.split(), status=1)
    assert "It has: default." in stocked.err
    assert not (stocked.data / "defualt").exists()


def test_the_empty_default_collection_says_what_to_do(run: Shell) -> None:
    """Before anything was added, a question is declined with advice to add reports."""
    assert run.json("ask", "Which gate failed?")["status"] == "declined"
    assert "onrecord add" in run.err
    assert run("history") == "Nothing has changed yet.\n"


def test_sources_are_listed_and_managed(run: Shell, tmp_path: Path) -> None:
    """Sources can be added, listed, paused and removed, and failures are shown."""
    first, second = tmp_path / "one.txt", tmp_path / "two.txt"
    first.write_text("A ferry ran aground at noon.")
    second.write_text("The ferry was towed to port.")
    run("add", str(first))
    listed = run.json("sources", "--add", str(second), "--every", "60")["sources"]
    assert [(s["source"], s["every"]) for s in listed] == [(str(first), None), (str(second), 60)]
    added = run.json("reindex", "--due")
    assert (len(added["added"]), added["unchanged"]) == (1, 0)
    second.unlink()
    assert run.json("reindex", "--due")["failed"] == []
    run("reindex", status=1)
    (_, gone) = run.json("sources")["sources"]
    assert (gone["failures"], "not a file or folder" in gone["error"]) == (1, True)
    assert "failed 1 time:" in run("sources")
    assert run("sources", "--add", str(first)).startswith(f"{first}  (file, on reindex")
    assert f"{second}  (file, paused" in run("sources", "--pause", str(second))
    assert run.json("reindex")["unchanged"] == 1
    run("sources", "--resume", str(second))
    assert len(run.json("sources", "--forget", str(second))["sources"]) == 1
    run("sources", "--pause", str(second), status=1)
    run("sources", "--add", str(tmp_path / "nothing"), status=1)
    run("sources", "--every", "5", status=2)
    run("sources", "--add", str(first), "--every", "0", status=1)


def test_corrections_and_retractions_show(stocked: Shell) -> None:
    """A corrected report says so wherever it is cited; a retracted report is not quoted."""
    result = stocked.json("correct", "dam", "--note", "It was Tuesday.")
    assert result["notice"]["note"] == "It was Tuesday."
    (cited,) = stocked.json("ask", "Which gate failed?")["citations"]
    assert (cited["notice"]["kind"], cited["notice"]["actor"]) == ("corrected", "operator")
    answer = stocked("ask", "Which gate failed?")
    assert 0 < answer.index("It was Tuesday.") < answer.index("“")  # above the words it corrects
    assert "It was Tuesday." in stocked("article", "dam")
    assert "Made up." in stocked("retract", "dam", "--note", "Made up.")
    assert stocked.json("articles", "--removed")["articles"][0]["notice"]["kind"] == "retracted"
    newest = stocked.json("history")["events"][0]
    assert (newest["note"], newest["titles"]) == ("Made up.", ["Gate fails"])
    stocked("correct", "nobody", "--note", "x", status=1)
    stocked("correct", "dam", "--note", " ", status=1)
    assert "Retracted on " in stocked("article", "dam")
    assert "(retracted)" in stocked("articles", "--removed")


def test_undo_asks_before_it_withdraws(stocked: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`undo` lists what would be lost; if refused, it changes nothing; `--yes` does not ask."""
    stocked("correct", "dam", "--note", "It was Tuesday.")
    stocked("retract", "dam", "--note", "Made up.")
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    stocked("undo", "1", status=1)
    assert "withdraw the retraction of “Gate fails”: Made up." in stocked.err
    assert stocked.json("history")["events"][0]["action"] == "retract"
    stocked("undo", "0", status=1)
    done = stocked.json("undo", "1", "--yes")
    assert len(done["restored"]) == 1
    assert [(n["notice"]["note"], n["in_force"]) for n in done["notices"]] == [
        ("Made up.", False),
        ("It was Tuesday.", False),
    ]
    assert stocked.json("article", "dam")["notice"] is None
    assert "undo: 1 restored  (Gate fails)  back to 1" in stocked("history")
    (added, none_left) = stocked("undo", "0", "--yes"), stocked.json("articles")["articles"]
    assert "Removed 2" in added
    assert none_left == []
    stocked("undo", "99", status=1)


def test_undo_without_a_change_says_so(stocked: Shell) -> None:
    """Going back to the present state, or to an equal one, makes no entry in the history."""
    stocked("remove", "dam")
    stocked("restore", "dam")
    for generation in ("3", "1"):
        said = stocked("undo", generation, "--yes")
        assert (
            said == f"Nothing to undo: the articles are as they were in generation {generation}.\n"
        )
    assert len(stocked.json("history")["events"]) == 3


@pytest.mark.parametrize("command", [["undo", "1"], ["restore", "dam"]])
def test_changes_during_the_confirmation_are_noticed(
    stocked: Shell, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """If articles change while `undo` asks, it does nothing and says so."""
    stocked("retract", "dam", "--note", "Made up.")

    def change(*_: object, **__: object) -> None:
        with closing(Archive.open(stocked.data, "default", FakeEncoder())) as elsewhere:
            elsewhere.retract("dam", "Copied.")

    with monkeypatch.context() as patch:
        patch.setattr("bot.cli.app.confirm", change)
        stocked(*command, status=1)
    assert "changed meanwhile, so nothing was done: try again." in stocked.err
    assert [event["action"] for event in stocked.json("history")["events"]] == [
        *("retract", "retract", "add")
    ]


def test_restore_asks_before_it_withdraws_a_retraction(stocked: Shell) -> None:
    """A removed article is restored at once, a retracted article only after confirmation."""
    stocked("remove", "cup")
    assert "Restored 1" in stocked("restore", "cup")
    stocked("retract", "dam", "--note", "Made up.")
    stocked("restore", "dam", status=1)
    assert "withdraw the retraction of “Gate fails”: Made up. Add --yes" in stocked.err
    assert stocked.json("article", "dam")["retired"]
    assert "Withdrawn 1" in stocked("restore", "dam", "--yes")


def test_a_retraction_is_not_silently_replaced(stocked: Shell) -> None:
    """Correcting a retracted article is refused; a second retraction names the first."""
    stocked("retract", "dam", "--note", "Made up.")
    stocked("correct", "dam", "--note", "It was Tuesday.", status=1)
    assert "It is retracted (Made up.): restore it before" in stocked.err
    assert "It replaces: Retracted on " in stocked("retract", "dam", "--note", "Copied.")
    again = stocked.json("retract", "dam", "--note", "Stolen.")
    assert (again["notice"]["note"], again["replaced"]["note"]) == ("Stolen.", "Copied.")


@pytest.mark.parametrize("method", ["record", "prune"])
def test_an_answer_that_cannot_be_logged_is_printed(
    stocked: Shell, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """If the disk is full, the answer is printed but not logged, and standard error says so."""

    def full(*_: object, **__: object) -> None:
        raise StoreError("The collection cannot be written: make room.")

    monkeypatch.setattr(AnswerLog, method, full)
    assert "A gate at Hallow Dam failed" in stocked("ask", "Which gate failed?")
    assert stocked.err.endswith(": The collection cannot be written: make room.\n")


@pytest.mark.parametrize("said", ["Thanks!", "more", "👍"])
def test_small_talk_is_not_answered(stocked: Shell, said: str) -> None:
    """The command line does not answer small talk, like the bot."""
    stocked("ask", said, status=2)
    assert (
        stocked.err == "onrecord: I answer questions about the reports: ask one in a few words.\n"
    )


def test_a_query_of_a_file_is_never_small_talk(stocked: Shell) -> None:
    """Each line of a file of queries is answered or declined, even if it looks like small talk."""
    query = json.dumps({"_id": "q", "text": "Thanks!"}).encode()
    assert json.loads(stocked("ask", "--queries", "-", stdin=query))["status"] == "declined"


def test_sources_that_no_quote_cites_are_marked() -> None:
    """An outlet with the same words as a quote is listed as such, not as another source."""
    both = answer_of(["The gate failed.", "The gate failed."])
    given = replace(both, quotes=(replace(both.quotes[0], also=(2,)),))
    shown = output.answer(given).text
    assert "\n[1] Northwire, " in shown
    assert "\n[2] Also in Northwire, " in shown


def test_export_and_add_again(stocked: Shell, tmp_path: Path) -> None:
    """Adding what `export` wrote gives the same articles with the same ids."""
    file = tmp_path / "all.jsonl"
    assert stocked.json("export", str(file))["articles"] == 2
    assert stocked.json("add", str(file))["unchanged"] == 2
    file.write_text("mine")
    stocked("export", str(file), status=1)
    assert (file.read_text(), "--force" in stocked.err) == ("mine", True)
    assert stocked("export", str(file), "--force") == f"2 articles in {file}\n"
    stocked("export", str(tmp_path / "no" / "folder"), status=1)
    assert f"{tmp_path / 'no' / 'folder'} cannot be opened" in stocked.err


def test_an_export_that_fails_changes_no_file(
    stocked: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an export fails, the old file is untouched, and no draft stays beside it."""
    file = tmp_path / "all.jsonl"
    file.write_text("mine")

    def fail(_: Archive, stream: IO[bytes]) -> int:
        stream.write(b"half a")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Archive, "export", fail)
    stocked("export", str(file), "--force", status=1)
    assert stocked.err.startswith("onrecord: A file cannot be opened or written (No space left on")
    assert file.read_text() == "mine"
    assert [*tmp_path.glob("*.draft")] == []


def at_a_terminal(shell: Shell, typed: str, *arguments: str) -> tuple[int, str]:
    """Run `onrecord` in a terminal 60 columns wide, type a line, and return status and screen.

    With the real encoder: for commands that do not load it.
    """
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 60, 0, 0))
    os.write(main, f"{typed}\n".encode())
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "--data", str(shell.data), *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
    )
    os.close(terminal)
    screen = b""
    with contextlib.suppress(OSError):  # which is how the end of a terminal is read
        while part := os.read(main, 4_096):
            screen += part
    os.close(main)
    return process.wait(), screen.decode().replace("\r\n", "\n")


def test_losing_a_collection_needs_confirmation(stocked: Shell, tmp_path: Path) -> None:
    """`recover`, and an `undo` that leaves nothing, say what would be lost and ask first."""
    copy = str(tmp_path / "copy.sqlite3")
    stocked("backup", copy)
    for arguments, question in (
        (["undo", "0"], "2 articles would be removed, and none would be left."),
        (["recover", copy], "its 2 articles, answers and history would be lost."),
    ):
        stocked(*arguments, status=1)
        assert question in stocked.err
        assert "Add --yes if you mean it: nothing was changed." in stocked.err
        status, screen = at_a_terminal(stocked, "n", *arguments)
        assert status == 1
        assert question in " ".join(screen.split())
        assert screen.endswith("onrecord: Nothing was changed.\n")
        assert len(stocked.json("history")["events"]) == 1
    assert at_a_terminal(stocked, "y", "undo", "0")[0] == 0
    assert stocked.json("articles")["articles"] == []
    stocked("undo", "1")  # loses nothing
    assert len(stocked.json("undo", "0", "--yes")["removed"]) == 2


def test_lines_on_a_terminal_break_between_words(run: Shell) -> None:
    """At a terminal lines break only between words; elsewhere they are not broken."""
    url = f"https://northwire.example/{'dam-' * 20}"
    text = "Nobody in the lower town had been warned before the gate of Hallow Dam failed. " * 3
    row = {"id": "dam", "title": "Dam", "text": text.strip(), "url": url}
    run("add", "-", stdin=json.dumps(row).encode())
    status, screen = at_a_terminal(run, "", "article", "dam")
    assert status == 0
    assert f"address:\n{url}\n" in screen
    lines = screen.partition("\n\n")[2].splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60
    assert set(" ".join(lines).split()) == set(text.split())
    assert text.strip() in run("article", "dam")


def test_an_indented_word_that_is_too_long_keeps_its_margin() -> None:
    """A long address is printed below its citation, on a line of its own."""
    url = "https://northwire.example/a-very-long-address"
    assert output.wrap(f"[1] Northwire\n    {url}", 30) == f"[1] Northwire\n    {url}"


def test_citations_show_their_address(stocked: Shell) -> None:
    """A printed answer has the address of each report that has one."""
    lines = stocked("ask", "Which gate failed at Hallow Dam?").splitlines()
    place = lines.index("[1] Northwire, 9 March 2026, Gate fails")
    assert lines[place + 1] == "    https://northwire.example/dam"


def test_a_question_may_come_from_standard_input(stocked: Shell) -> None:
    """`-` instead of a question or a file of queries reads it from standard input."""
    given = stocked.json("ask", "-", stdin=b"Which gate\nfailed?\n")
    assert given["question"] == "Which gate failed?"
    assert stocked.json("search", "-", stdin=b"cup")["results"]
    line = stocked("ask", "--queries", "-", stdin=b'{"_id": "q", "text": "Which gate failed?"}')
    assert json.loads(line)["id"] == "q"
    stocked("ask", "-", status=2)
    stocked("ask", "-", status=1, stdin=b"\xff\xfe")
    assert "not UTF-8" in stocked.err


def test_help_cuts_no_sentence_short(run: Shell) -> None:
    """`--help` shows the description of each command in full."""
    shown = run("--help")
    assert not re.search(r"\w\.\.\.", shown)
    assert "say what to fix." in " ".join(shown.split())


def test_erasing_asks_for_the_name(stocked: Shell) -> None:
    """A collection is erased only if its name is typed or given."""
    stocked("erase-all", "--yes", "other", status=1)
    stocked("erase-all", status=1)
    assert stocked.err.startswith("onrecord: Add --yes default to delete it without being asked")
    status, screen = at_a_terminal(stocked, "no", "erase-all")
    assert status == 1
    question = "Type “default” to delete it with its 2 articles, answers and history for good: "
    assert question in screen
    assert len(stocked.json("articles")["articles"]) == 2
    assert stocked.json("erase-all", "--yes", "default") == {"erased": "default"}
    assert not (stocked.data / "default").exists()


def test_a_damaged_collection_can_be_erased(stocked: Shell) -> None:
    """Asking a damaged collection says what to do, and erasing it works."""
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
        (["ask", "gate", "--since", "12 March 2026", "--until", "2026-03-09"], 2),
        (["search", "gate", "--since", "12 March 2026", "--as-of", "2026-03-09"], 2),
        (["--collection", "", "articles"], 2),
        (["articles", "--collection", ""], 2),
        (["articles", "--data", ""], 2),
        (["articles", "--config", " "], 2),
        (["ask", "gate", "--publisher", "Nobody"], 2),
        (["--config", "/nowhere.toml", "articles"], 2),
        (["--collection", "../up", "articles"], 2),
        (["--data", __file__, "articles"], 1),
        (["article", "nothing"], 1),
        (["bot"], 2),
        (["evaluate", "/nowhere"], 1),
        (["search", "--queries", "/nowhere"], 1),
        (["add", "/nowhere.txt"], 1),
        (["frobnicate"], 2),
    ],
)
def test_bad_input_gets_one_sentence(stocked: Shell, arguments: list[str], status: int) -> None:
    """Wrong usage ends with status 2, other failures with 1, without a traceback or any loss."""
    out = stocked(*arguments, status=status)
    assert "Traceback" not in stocked.err + out
    if stocked.err.startswith("onrecord: "):
        assert stocked.err.count("\n") == 1
    else:  # typer explains wrong usage, and `add` lists what failed
        assert "Usage: onrecord" in stocked.err or "Failed 1\n" in out
    assert len(stocked.json("articles")["articles"]) == 2


def test_backup_and_recover(stocked: Shell, tmp_path: Path) -> None:
    """Recovering a backup restores what was stored when it was made."""
    copy = tmp_path / "copy.sqlite3"
    copy.write_text("mine")
    stocked("backup", str(copy), status=1)
    assert (copy.read_text(), "--force" in stocked.err) == ("mine", True)
    assert stocked.json("backup", str(copy), "--force")["articles"] == 2
    stocked("backup", str(copy), status=1)  # not even in place of an earlier one
    before = stocked.json("ask", "Which gate failed?")
    stocked("remove", "dam", "cup")
    stocked("recover", str(copy), status=1)
    assert "its 0 articles, answers and history would be lost. Add --yes" in stocked.err
    stocked("recover", str(copy), "--yes")
    assert len(stocked.json("articles")["articles"]) == 2
    assert stocked.json("ask", "Which gate failed?")["quotes"] == before["quotes"]
    assert stocked.json("history")["events"][0]["action"] == "recover"
    stocked("recover", str(tmp_path / "nothing"), "--yes", status=1)
    (tmp_path / "junk").write_text("no database")
    stocked("recover", str(tmp_path / "junk"), "--yes", status=1)
    (tmp_path / "none").touch()
    stocked("recover", str(tmp_path / "none"), "--yes", status=1)
    assert f"{tmp_path / 'none'} is empty: name a backup" in stocked.err
    stocked("backup", str(tmp_path / "no" / "folder"), status=1)
    assert len(stocked.json("articles")["articles"]) == 2
    (catalogue,) = stocked.data.glob("*/catalogue.sqlite3")
    catalogue.write_bytes(b"damaged" * 1_000)
    stocked("recover", str(copy), status=1)
    assert "all that is left in it would be lost. Add --yes" in stocked.err
    stocked("recover", str(copy), "--yes")
    assert len(stocked.json("articles")["articles"]) == 2
