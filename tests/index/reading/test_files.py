"""Tables, mails, RTF, OpenDocument and books are read; files without reports are refused."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.files import (
    BODY,
    FIRST,
    MARKUP,
    SECOND,
    TEXT,
    THIRD,
    article,
    items,
    packed,
    paragraph,
    pdf,
    refusal,
    word,
)

from index.domain import Article, Failure
from index.errors import InputError
from index.reading.items import Omission
from index.reading.tables import read_table

# Tables


def test_a_column_name_may_hold_a_delimiter() -> None:
    """A name in quotes is a single column, so that texts stay in their columns."""
    rows = f'title,"notes, private\n(ours)",text,publisher\nDam,secret,"{FIRST}",Northwire\n'
    found = article(rows, "rows.csv")
    assert (found.text, found.publisher) == (FIRST, "Northwire")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.txt"])
def test_rows_of_a_table_are_reports(delimiter: str, name: str) -> None:
    """A table is recognised by its column names, whatever separates them."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerow(["Title", "text", "published", "place"])
    writer.writerow(["Dam; fails, again", f"{FIRST}\n\n“{SECOND}”", "3 November 2026", "Tessen"])
    writer.writerow([])
    writer.writerow(["Cup", THIRD])
    first, second = items(written.getvalue(), name)
    assert isinstance(first, Article)
    assert (first.title, first.text) == ("Dam; fails, again", f"{FIRST}\n\n“{SECOND}”")
    assert first.published == datetime(2026, 11, 3, tzinfo=UTC)
    assert isinstance(second, Article)
    assert (second.source, second.text) == (f"{name}, line 6", THIRD)


def test_bad_rows_do_not_affect_others() -> None:
    """A row without a text fails alone; extra cells and open quotes are reported."""
    rows = f'title,text\nNo text,\nDam,{FIRST.replace(",", "")},left\nCup,Athletic won.\nOpen,"x\n'
    failure, spilt, article, rest = items(rows, "rows.csv")
    assert isinstance(failure, Failure)
    assert failure.source == "rows.csv, line 2"
    assert isinstance(article, Article)
    assert [type(item) for item in (spilt, rest)] == [Omission, Omission]


def test_other_tables_are_refused() -> None:
    """A table without a column of texts says how to name its columns."""
    assert "without a column “text”" in refusal("name,price\nTea,3\n", "prices.csv")
    assert "without rows" in refusal("title,text\n", "a.csv")


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_tables_come_back_whole(rows: list[tuple[str, str]], delimiter: str) -> None:
    """A table written by a program is read cell by cell as it was."""
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows([("title", "text"), *rows])
    read = read_table(written.getvalue().encode())
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    assert [(row["title"], row["text"]) for row in read if "text" in row] == kept


# Mails


def mail(text: str = f"{FIRST}\n\n{SECOND}\n", markup: str = "") -> EmailMessage:
    """Return a mail of a press office."""
    message = EmailMessage()
    message["From"] = "Harbour Board <press@board.example>"
    message["To"] = "desk@northwire.example"
    message["Subject"] = "Dam fails – again"
    message["Date"] = "Tue, 03 Nov 2026 21:24:10 -0500"
    message["Message-ID"] = "<dam-7@board.example>"
    message.set_content(text, cte="base64")
    if markup:
        message.add_alternative(markup, subtype="html")
    return message


@pytest.mark.parametrize("name", ["dam.eml", "dam.txt"])
def test_a_mail_is_a_report(name: str) -> None:
    """Subject, sender, date and text of a mail become a report, on the sender's clock."""
    found = article(mail().as_bytes(), name)
    assert (found.title, found.author) == ("Dam fails – again", "Harbour Board")
    assert (found.publisher, found.guessed) == ("board.example", ("publisher",))
    assert found.text == f"{FIRST}\n\n{SECOND}"
    assert found.published
    assert found.published.isoformat() == "2026-11-03T21:24:10-05:00"
    assert found.key == "mail <dam-7@board.example>"


def test_a_mail_in_html() -> None:
    """The HTML is read if the plain text is only a notice, else the plain text."""
    notice = mail("View this mail in your browser.", f"<html>{MARKUP}</html>")
    assert article(notice.as_bytes(), "a.eml").text == TEXT
    both = mail(f"{TEXT}\n", f"<html>{MARKUP}</html>")
    assert article(both.as_bytes(), "a.eml").text == TEXT


def test_lines_that_a_mail_program_broke_are_joined() -> None:
    """Lines broken at the usual width are one paragraph; short lines stay lines."""
    broken = FIRST.replace("valley was", "valley\nwas") + "\n\nTessen\nAdell\n"
    assert article(mail(broken).as_bytes(), "a.eml").text == f"{FIRST}\n\nTessen\nAdell"


def test_attached_files_are_read() -> None:
    """Attached reports are read, also in attached mails; other files are named."""
    message = mail()
    message.add_attachment(pdf(["Gates", "", *BODY]), "application", "pdf", filename="../gates.pdf")
    message.add_attachment(b"\xff\xd8\xff", "image", "jpeg", filename="dam.jpg")
    inner = mail("Nobody in Adell was warned of it.\n")
    inner.replace_header("Message-ID", "<dam-8@board.example>")
    message.add_attachment(inner)
    found = items(message.as_bytes(), "a.eml")
    assert [(i.source or "").rpartition("/")[2] for i in found if isinstance(i, Article)] == [
        "a.eml",
        "gates.pdf",
        "mail-3.eml",
    ]
    assert Omission("a.eml", "Attached files in other formats were not read: dam.jpg.") in found


def test_a_flowed_mail_keeps_speakers_apart() -> None:
    """A continued line is joined, but not with another quote level or a signature."""
    text = "I deny \nthat. \n> They were \n> warned. \n\nAsk \n me.\n-- \nVell\n"
    message = mail(text)
    message.set_param("format", "flowed")
    expected = "I deny that.\n> They were warned.\n\nAsk me.\n--\nVell"
    assert article(message.as_bytes(), "a.eml").text.strip() == expected


def test_a_mail_in_seven_bits() -> None:
    """A charset that writes other letters as ASCII is decoded."""
    for charset in ("iso-2022-jp", "utf-7"):
        message = mail()
        message.set_payload("ダムは決壊した。".encode(charset))
        message.set_param("charset", charset)
        message.replace_header("Content-Transfer-Encoding", "7bit")
        assert article(message.as_bytes(), "a.eml").text == "ダムは決壊した。"


def test_a_damaged_mail_is_refused() -> None:
    """Invalid base64 is never stored as text; a damaged attachment is reported."""
    broken = mail().as_bytes().replace(b"base64\n", b"base64\n\n!!", 1)
    assert b"!!" in broken
    assert "was damaged on its way" in refusal(broken, "a.eml")
    message = mail()
    message.add_attachment(b"Dam.", "text", "plain", filename="dam.txt")
    data = message.as_bytes().replace(b"RGFtLg==", b"!RGFtLg==")
    found = items(data, "a.eml")
    assert [type(item) for item in found] == [Article, Omission]


def test_a_mail_without_a_text_is_refused() -> None:
    """A mail with nothing to read says so."""
    assert "without a readable text" in refusal(mail(" \n").as_bytes(), "a.eml")


# Office files


def test_an_rtf_file() -> None:
    """Paragraphs, letters beyond ASCII and rows of tables are read; fields and notes are not."""
    source = (
        r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Times;}}{\info{\title Dam \'96 fails}"
        r"{\author Ada Vell}{\creatim\yr2026\mo11\dy3\hr9}}\f0 The caf\'e9 \u8220?held\u8221?.\par"
        r"\trowd\intbl Tessen\cell 3\cell\row\pard It \b was\b0  late, said "
        r'{\field{\*\fldinst{HYPERLINK "https://x.example/a b"}}{\fldrslt Ada Vell}}.\par}'
    )
    found = article(source, "dam.rtf")
    assert found.text.split("\n\n") == [
        "The café “held”.",
        "Tessen | 3",
        "It was late, said Ada Vell.",
    ]
    assert (found.title, found.author) == ("Dam – fails", "Ada Vell")
    assert found.guessed_date == datetime(2026, 11, 3, tzinfo=UTC)
    assert "has no text" in refusal(r"{\rtf1 }", "a.rtf")


def test_an_rtf_file_is_read_as_it_is_seen() -> None:
    """Raised digits stay raised, and hidden, deleted and struck words are left out."""
    source = (
        r"{\rtf1\ansi About 10{\super 6} fled, 12\super 1\nosupersub  died at 9\strike  am\strike0"
        r"{\v  or \lquote caf\'e9 \u8364?\rquote  later}{\deleted  not}.\par}"
    )
    assert article(source, "a.rtf").text == "About 10⁶ fled, 12¹ died at 9."


OFFICE = "urn:oasis:names:tc:opendocument:xmlns"


def odt(body: str, meta: str = "", manifest: str = "<m/>", head: str = "") -> bytes:
    """Return an OpenDocument text."""
    spaces = f'xmlns:o="{OFFICE}:office:1.0" xmlns:t="{OFFICE}:text:1.0"'
    spaces += f' xmlns:s="{OFFICE}:style:1.0" xmlns:b="{OFFICE}:table:1.0"'
    style = '<s:style s:name="P1" s:parent-style-name="Title"/>'
    for name, look in (("up", 't:text-position="super"'), ("no", 't:display="none"')):
        style += f'<s:style s:name="{name}"><s:text-properties {look}/></s:style>'
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"{head}<o:c {spaces}>{style}<o:body><o:text>{body}</o:text></o:body>"
            "</o:c>",
            "meta.xml": f'<m xmlns:dc="http://purl.org/dc/elements/1.1/">{meta}</m>',
            "META-INF/manifest.xml": manifest,
        }
    )


def test_an_opendocument_text() -> None:
    """Headings, paragraphs and rows are read; comments, notes and deleted text are not."""
    body = (
        '<t:tracked-changes><t:p>Deleted.</t:p></t:tracked-changes><t:p t:style-name="P1">Dam</t:p>'
        f"<t:p>{FIRST[:8]}<t:s/>{FIRST[8:]}<t:note><t:p>A note.</t:p></t:note></t:p>"
        "<b:table><b:table-row><b:table-cell><t:p>Tessen</t:p></b:table-cell>"
        "<b:table-cell><t:p>3</t:p></b:table-cell></b:table-row></b:table>"
        f"<o:annotation><t:p>Check this.</t:p></o:annotation><t:p>{SECOND}</t:p>"
    )
    found = article(odt(body, "<initial-creator>Ada Vell</initial-creator>"), "dam.odt")
    assert found.text.split("\n\n") == [FIRST, "Tessen | 3", SECOND]
    assert (found.title, found.author, found.guessed) == ("Dam", "Ada Vell", ("title",))
    locked = odt("x", manifest="<encryption-data/>")
    assert "locked with a password" in refusal(locked, "a.odt")
    assert "has no text" in refusal(odt(""), "a.odt")


def test_an_opendocument_text_is_read_as_it_is_seen() -> None:
    """Text after comments stays, boxes are read once, and 10⁶ is not read as 106."""
    head = '<!DOCTYPE c [<!ENTITY who "the mayor">]>'
    body = (
        "<t:p>She said &who; did <!-- c -->not <?p x?>resign<t:ruby><t:ruby-base>.</t:ruby-base>"
        "<t:ruby-text>9</t:ruby-text></t:ruby></t:p>"
        "<t:p>Over 10<t:span t:style-name='up'>6</t:span> fled"
        "<t:span t:style-name='no'> in vain</t:span>.</t:p>"
        "<t:p><t:frame><t:text-box><t:p>Outer.<t:frame><t:text-box><t:p>Inner.</t:p></t:text-box>"
        "</t:frame></t:p></t:text-box></t:frame></t:p>"
    )
    assert article(odt(body, head=head), "a.odt").text.split("\n\n") == [
        "She said the mayor did not resign.",
        "Over 10⁶ fled.",
        "Outer.",
        "Inner.",
    ]


def test_a_book() -> None:
    """Chapters are read in order, with the book's metadata, without its table of contents."""
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    facts = (
        "<dc:title>The dam</dc:title><dc:creator>Ada Vell</dc:creator><dc:date>2026-11</dc:date>"
    )
    files = "".join(
        f'<item id="{n}" href="{n}%20x.xhtml" properties="{n}"/><itemref idref="{n}"/>'
        for n in ("nav", "b", "a")
    )
    chapter = "<?xml version='1.0' encoding='utf-8'?><html><head><title>T</title></head><body>{}"
    book = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<c><rootfile full-path="in/book.opf"/></c>',
        "in/book.opf": f"<p {dc}>{facts}{files}</p>",
        "in/nav x.xhtml": chapter.format("<p>Contents</p>"),
        "in/a x.xhtml": chapter.format(f"<p>{SECOND}</p></body></html>"),
        "in/b x.xhtml": chapter.format(f"<p>{FIRST}</p><p>Café – late.</p></body></html>"),
    }
    found, omission = items(packed(book), "dam.epub")
    assert isinstance(found, Article)
    assert found.text == f"{FIRST}\n\nCafé – late.\n\n{SECOND}"
    assert (found.title, found.author, found.published) == ("The dam", "Ada Vell", None)
    assert isinstance(omission, Omission)
    for charset in ("utf-16", "iso-8859-1"):
        first = book["in/b x.xhtml"].replace("utf-8", charset).replace("–", "-").encode(charset)
        other = items(packed({**book, "in/b x.xhtml": first}), "dam.epub")[0]
        assert isinstance(other, Article)
        assert "Café - late." in other.text
    shop = {**book, "META-INF/encryption.xml": '<e URI="in/b x.xhtml"/>'}
    assert "locked by its shop" in refusal(packed(shop), "a.epub")


def test_rows_of_a_word_table_stay_rows() -> None:
    """The cells of a row stay beside each other, with all their paragraphs."""
    cells = ["".join(map(paragraph, cell)) for cell in (["Tessen"], ["3", "dead"])]
    row = "".join(f"<w:tc>{cell}</w:tc>" for cell in cells)
    table = f"<w:tbl><w:tr>{row}</w:tr></w:tbl>"
    found = article(word(paragraph(FIRST) + table + paragraph(SECOND)), "dam.docx")
    assert found.text.split("\n\n") == [FIRST, "Tessen | 3 dead", SECOND]


def test_a_word_file_is_read_as_it_is_seen() -> None:
    """Raised digits stay raised, and hidden and struck words are left out."""
    looks = {"6": '<w:vertAlign w:val="superscript"/>', " all": '<w:vanish w:val="0"/>'}
    looks |= {" not": "<w:strike/>", " never": "<w:dstrike/>", " in vain": "<w:vanish/>"}
    runs = "".join(
        f'<w:r><w:rPr>{looks.get(text, "")}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'
        for text in ("Over 10", "6", " all", " not", " never", " in vain", " fled.")
    )
    assert article(word(f"<w:p>{runs}</w:p>"), "a.docx").text == "Over 10⁶ all fled."


# What is refused


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        ("1\n00:00:01,000 --> 00:00:02,500\nThe dam failed.\n", "a.txt", "subtitles"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nThe dam failed.\n", "a.txt", "subtitles"),
        ("0:00:01.000,0:00:02.000\nThe dam failed.\n", "a.sbv", "subtitles"),
        ("[Script Info]\nTitle: Dam\n", "a.txt", "subtitles"),
        ("#!/bin/sh\necho dam\n", "dam", "a program"),
        ("import os\n", "dam.py", "a program or other data"),
        ("dam: failed\n", "dam.yaml", "a program or other data"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\n", "a.txt", "a calendar"),
        ("From: <Saved by Blink>\nSubject: Dam\nDate: x\n\n--x\n", "a.txt", "a web archive"),
        ("From ada@x.example Tue Nov  3 21:24:10 2026\nFrom: x\n\nx\n", "a.txt", "a mailbox"),
        ("\\documentclass{article}\nDam\n", "a.txt", "save it as PDF"),
    ],
)
def test_files_without_reports_are_refused(data: str, name: str, error: str) -> None:
    """Subtitles, web archives, programs and other data are refused in a sentence."""
    assert error in refusal(data, name)


@pytest.mark.parametrize(
    "text",
    [
        "From Tessen to Adell\n\nThe road is open, said the ministry in 2026.\n",
        "From: Tessen\n\nThe road is open.\n",
        "Text, lies and a dam\n\nIt failed, said the engineer.\n",
        "[Updated] The dam failed at dawn.\n",
        "12 people were hurt at 9:15, said the operator.\n",
    ],
)
def test_reports_that_look_like_something_else_are_reports(text: str) -> None:
    """A text that only begins like a mail, a table or data is read as text."""
    assert article(text, "a.txt").text.strip().endswith(".")


@given(st.text(max_size=200), st.sampled_from(["a.eml", "a.csv", "a.rtf", "a.json"]))
def test_any_text_under_any_name_is_items_or_one_sentence(text: str, name: str) -> None:
    """Any file is read, or refused in a sentence."""
    start = {"a.rtf": "{\\rtf1 ", "a.json": '{"', "a.csv": "title,text\n"}.get(name, "From: x\n")
    try:
        items(start + text, name)
    except InputError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either is right
