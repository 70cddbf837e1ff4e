"""What people write with programs for writing: notebooks, LaTeX, org, code, subtitles, contacts and calendars."""

import json
from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.pdf.layout import _find as find_rows
from quarry.indexer.loaders.pictures.figures import telling
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.places import Place


def read(folder: Path, name: str, text: str) -> Parsed:
    (parsed,) = documents(folder, name, text)
    return parsed


def documents(folder: Path, name: str, text: str) -> list[Parsed]:
    path = folder / name
    path.write_text(text, "utf-8")
    return list(load(path))


def headings(parsed: Parsed) -> list[tuple[int, str]]:
    return [(heading.level, heading.text) for heading in parsed.headings]


def test_what_would_be_looked_for_again_from_every_character_is_not(tmp_path: Path) -> None:
    """Each of these took minutes to hours as long as the time grew with the square of the length."""
    page = read(tmp_path, "a.man", f".TH A 1\n{chr(92)}[u00E4]bc {chr(92)}[" + "x" * 1_000 + f"{chr(92)}[" * 200_000)
    assert page.text.startswith("\u00e4bc")
    alt = ("A boat" + " " * 100_000) * 2 + "at sea  Description automatically generated with high confidence"
    assert telling(alt).endswith("at sea")
    assert find_rows([""] * 200_000 + ["a b", "", "c"], [["ab"], ["c"]], 0) == (200_000, 200_003)


def test_notebooks(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "\n", "High water.\n", "Low\n", "---\n", "Water."]},
        {
            "cell_type": "code",
            "source": "plot(tides)",
            "outputs": [
                {"output_type": "stream", "text": ["three\n", "\x1b[31mmetres\x1b[0m\n"]},
                {"output_type": "display_data", "data": {"image/png": "iVBOR" * 99, "text/plain": "<Figure size 6x4>"}},
                {"output_type": "execute_result", "data": {"text/plain": ["42"], "text/html": "<b>42</b>"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no tide", "traceback": ["\x1b[0m"]},
            ],
        },
        {"cell_type": "raw", "source": None},
    ]
    about = {"language_info": {"name": "python"}}
    parsed = read(tmp_path, "a.ipynb", json.dumps({"nbformat": 4, "metadata": about, "cells": cells}))
    assert parsed.text == (
        "Tides\n\nHigh water.\n\nLow\n\nWater.\n\nplot(tides)\n\nthree\nmetres\n\n42\n\nValueError: no tide"
    )
    assert (parsed.title, headings(parsed)) == ("Tides", [(1, "Tides"), (2, "Low")])
    assert parsed.metadata == {"language": "python"}
    old = {
        "worksheets": [
            {"cells": [{"cell_type": "heading", "level": 2, "source": "Old"}, {"cell_type": "code", "input": "x"}]}
        ]
    }
    assert read(tmp_path, "b.ipynb", json.dumps(old)).text == "Old\n\nx"
    with pytest.raises(FileMalformed, match="no notebook"):
        documents(tmp_path, "c.ipynb", json.dumps({"cells": cells})[:-9])


def test_manual_pages(tmp_path: Path) -> None:
    text = r""".\\" A comment
.de CW
gone
..
.ie n .ds Q x
.el \{\
gone, too
.\}
.TH TIDE 1 "05/31/2024" "coast 1.2"
.SH NAME
tide \- tell of high
and low \fIwater\fR
.SH OPTIONS
.TP
.BR \-a ", " \-\-all =\fIN\fP
All \(lqharbours\(rq in caf\['e], see
.BR moon (3).
.nf
a  b
c
.fi
.TS
l l.
May\tT{
3 m
T}
June\t2 m
.TE
.SS "Low water"
Ebb."""
    parsed = read(tmp_path, "tide.1", text.replace("\\\\", "\\").replace("\\t", "\t"))
    assert parsed.text.split("\n\n") == [
        "NAME",
        "tide - tell of high and low water",
        "OPTIONS",
        "-a, --all=N All “harbours” in café, see moon(3).",
        "a  b\nc",
        "May\n3 m\nJune | 2 m",
        "Low water",
        "Ebb.",
    ]
    assert (parsed.title, parsed.type, parsed.metadata) == ("tide(1)", "text/troff", {"date": "2024-05-31"})
    assert headings(parsed) == [(1, "NAME"), (1, "OPTIONS"), (2, "Low water")]
    mdoc = r""".Dd May 31, 2024
.Dt TIDE 8
.Sh NAME
.Nm tide
.Nd tells of water
.Sh SYNOPSIS
.Nm
.Op Fl ad
.Op Fl c Ar file
.Bl -tag
.It Fl a
See
.Xr moon 3 .
.El"""
    parsed = read(tmp_path, "tide.8", mdoc)
    assert parsed.text.split("\n\n")[1::2] == ["tide - tells of water", "tide [-ad] [-c file]"]
    assert parsed.text.endswith("-a See moon(3).")
    info = "This is tide.info.\n\n\x1f\nFile: tide.info,  Node: Top\n\nTide\n****\n\nWater.\n\n1 Ebb\n=====\n\nLow."
    assert headings(read(tmp_path, "tide.info", info)) == [(1, "Tide"), (2, "1 Ebb")]


def test_latex(tmp_path: Path) -> None:
    text = r"""% A comment
\documentclass[11pt]{article}\usepackage{x}
\title{Tides of the \emph{harbour}}\author{Ada Byron}
\begin{document}\maketitle
\section*{High water}\label{sec:high}
The moon\footnote{And the sun.} pulls, 50\% of it: $a_{1} = \frac{1}{2}$ --- ``see''
Fran\c{c}ois \cite{newton} and G\"odel~\ref{x}. % gone
\begin{itemize}[noitemsep]
\item One \textbf{bold} word
\item Two
\end{itemize}
\begin{equation}
E = mc^2
\end{equation}
\subsection{Low}
\begin{tabular}{ll} May & 3 m \\ June & 2 m \end{tabular}
\begin{verbatim}
\raw % kept
\end{verbatim}
\end{document} after"""
    parsed = read(tmp_path, "a.tex", text.replace("\n\\raw % kept", "\n\\raw"))
    assert parsed.text == (
        "High water\n\nThe moon And the sun. pulls, 50% of it: $a_{1} = \\frac{1}{2}$ — “see” "
        "François newton and Gödel .\n\n"
        "- One bold word\n- Two\n\nE = mc^2\n\nLow\n\nMay | 3 m\nJune | 2 m\n\n\\raw"
    )
    assert (parsed.title, headings(parsed)) == ("Tides of the harbour", [(2, "High water"), (3, "Low")])
    assert parsed.metadata == {"author": "Ada Byron"}


def test_org(tmp_path: Path) -> None:
    text = (
        "#+TITLE: Tides\n#+AUTHOR: Ada\n* TODO [#A] High [[http://a.b][water]] :sea:moon:\nWords.\n"
        "#+begin_src c\n* no\n#+end_src\n** Low"
    )
    parsed = read(tmp_path, "a.org", text)
    assert (parsed.text, parsed.title, headings(parsed)) == (text, "Tides", [(1, "High water"), (2, "Low")])
    assert (parsed.metadata, parsed.place) == ({"author": "Ada"}, Place(lines=(1, 8)))


CODE = {
    "a.py": (
        'import x\n\n# Why.\n@wraps\nclass Tide(Base):\n    """A\n    class of tides."""\n\n    async def at(self):\n'
        "        if x(y):\n            pass\n\ndef low():\n    pass\n",
        [(1, "Tide"), (2, "at"), (1, "low")],
    ),
    "a.c": (
        "#include <x.h>\n\n/* Why. */\nstatic int low(int a, char **b)\n{\n  if (a) { go(b); }\n  return 0;\n}\n"
        "int main(void) {\n",
        [(1, "low"), (1, "main")],
    ),
    "a.go": (
        "package sea\n\nfunc (t *Tide) High(x int) error {\n}\ntype Tide struct {\n",
        [(1, "sea"), (1, "(t *Tide) High"), (1, "Tide struct")],
    ),
    "a.ts": (
        "export class Tide {\n  async high(x: number): Promise<void> {\n    for (;;) {\n    }\n  }\n}\n"
        "export default function low() {\n",
        [(1, "Tide"), (2, "high"), (1, "low")],
    ),
    "a.rs": (
        "pub fn high(x: u8) -> u8 {\n}\nimpl Tide for Sea {\n    pub fn low() {\n",
        [(1, "high"), (1, "Tide for Sea"), (2, "low")],
    ),
    "a.sql": (
        "CREATE TABLE tides (\n  a int\n);\ncreate or replace view low as select 1;",
        [(1, "TABLE tides"), (1, "view low")],
    ),
    "a.css": (
        "/* Why. */\n.tide {\n  color: red;\n}\n@media print {\n  a { b: c }\n}",
        [(1, ".tide"), (1, "@media print")],
    ),
    "a.lisp": ("(defun tide (x)\n  (+ x 1))", [(1, "tide")]),
    "a.yaml": ("class: x\ntype: y\n", []),
    "a.txt": ("class Tide:\n", []),
}


def test_code_is_cut_at_definitions(tmp_path: Path) -> None:
    for name, (text, expected) in CODE.items():
        parsed = read(tmp_path, name, text)
        assert headings(parsed) == expected, name
        assert parsed.text == text.strip()
        if name == "a.py":
            assert parsed.text[parsed.headings[0].start :].startswith("# Why.\n@wraps\nclass Tide")


def test_subtitles_stand_at_their_seconds(tmp_path: Path) -> None:
    srt = (
        "1\n00:01:23,500 --> 00:01:25,000\n<i>High</i> water\nat nine.\n\n2\n00:01:25,000 --> 00:01:26,000\nLow.\n3\n"
        "01:00:00,000 --> 01:00:01,000\nLate.\n"
    )
    vtt = (
        "WEBVTT\n\nNOTE x\n\nSTYLE\n::cue {}\n\nhead\n01:23.500 --> 01:25.000 align:start\n<v Ada>High &amp; low\n\n"
        "01:25.000 --> 01:26.000\nHigh &amp; low\n"
    )
    ass = (
        "[Script Info]\nTitle: Tides\n[Events]\n"
        "Dialogue: 0,0:01:23.50,0:01:25.00,Default,,0,0,0,,{\\i1}High, low\\NWater\n"
    )
    parsed = read(tmp_path, "a.srt", srt)
    assert parsed.text == "High water at nine.\nLow.\n\nLate."
    assert parsed.places[0] == (0, Place(seconds=(83.5, 85.0)))
    assert parsed.places[-1] == (26, Place(seconds=(3600.0, 3601.0)))
    parsed = read(tmp_path, "a.vtt", vtt)
    assert (parsed.text, parsed.places) == ("High & low", ((0, Place(seconds=(83.5, 85.0))),))
    parsed = read(tmp_path, "a.ass", ass)
    assert (parsed.text, parsed.title) == ("High, low Water", "Tides")
    assert read(tmp_path, "b.srt", "No codes.").text == "No codes."


def test_contacts_and_calendars(tmp_path: Path) -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:Ada Byron\r\nN:Byron;Ada;;;\r\nORG:Harbour;Office\r\n"
        "item1.EMAIL;type=WORK:a@b.org\r\n"
        "NOTE:High\\nwater\\, a\r\n nd low.\r\nPHOTO;ENCODING=b:AAAA\r\nEND:VCARD\r\n"
    )
    one, two = documents(tmp_path, "a.vcf", card + card.replace("Ada", "Zoe"))
    assert (one.key, one.title, one.text) == (
        "id=u1", "Ada Byron", "Ada Byron\nHarbour, Office\na@b.org\nHigh\nwater, and low."
    )  # fmt: skip
    assert (two.key, one.metadata) == ("row=2", {"organization": "Harbour, Office", "email": "a@b.org"})
    event = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:e1\nSUMMARY:Regatta\nDTSTART;TZID=Asia/Seoul:20240531T102030\nLOCATION:Busan\n"
        "BEGIN:VALARM\nDESCRIPTION:Alarm\nEND:VALARM\nORGANIZER;CN=Bo:mailto:bo@b.org\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    parsed = read(tmp_path, "a.ics", event)
    assert (parsed.key, parsed.title, parsed.text) == ("id=e1", "Regatta", "Regatta\nBusan\nbo@b.org")
    assert parsed.metadata == {"date": "2024-05-31T10:20:30", "location": "Busan", "author": "bo@b.org"}
    with pytest.raises(FileMalformed, match="no entry that is whole"):
        documents(tmp_path, "b.vcf", card[:-20])
