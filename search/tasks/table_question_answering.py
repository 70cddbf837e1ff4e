"""Table question answering: a question about a table, answered from its rows by a model that reads them as one text.

Such models were given tables as TAPEX writes them (Liu et al. 2022): the question, the names of the columns, and row
after row. What they write is found again among the cells, where it is one of them; a sum or a count is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quarry.search.language import analysis
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import most
from quarry.search.models.auto.writing import write
from quarry.search.models.tokenizing import encodable
from quarry.search.requests import deadline
from quarry.search.tasks.answers import Answered, ModelAnswer, too_long
from quarry.search.values.places import Place

TASK = Task(
    name="table-question-answering",
    heads=("BartForConditionalGeneration", "T5ForConditionalGeneration"),
    others=("MBartForConditionalGeneration", "PLBartForConditionalGeneration"),
    loader="AutoModelForSeq2SeqLM",
    command='quarry ask "QUESTION" --document TABLE --table-reader MODEL',
    option="`--table-reader`: any Bart or T5 that reads tables as TAPEX does",
    seen="`quarry ask --document`, `POST /v1/documents/{id}/answer`: an answer, the cells that it stands in, and how "
    "sure the model is",
)
_TOKENS = 48  # of an answer
_LEAST = 32  # tokens of a table that there must be room for
_CELL = 100  # characters of a cell
_CELLS = 5  # that an answer names
_BETWEEN = re.compile(r"\s*,\s*")  # answers of several cells
_LETTERS = 26
_OFTEN = 1_000  # rows between two looks at the clock


@dataclass(frozen=True, slots=True)
class AskedRow:
    """The cells of a row, "" where one is empty, and where in its file it stands."""

    cells: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class AskedTable:
    """Rows under the names of their columns."""

    columns: tuple[str, ...]
    rows: tuple[AskedRow, ...]


class TableReader:
    """A model that answers questions about tables. Many threads may share one.

    Args:
        model: of `TASK`.
    """

    def __init__(self, model: AutoModel) -> None:
        self._model = model

    def answer(self, question: str, table: AskedTable) -> Answered:
        """Return the answer to a question, once for each cell that it stands in; none where a model writes none.

        Of a table that is longer than the model takes, it is shown the rows that share most words with the question.

        Raises:
            InvalidRequest: the question is longer than the model takes.
            ModelError: the model fails, or gives no usable numbers.
        """
        question = encodable(question)
        head = f"{question} col : {' | '.join(map(_plain, table.columns))}"
        shown = self._shown(question, head, table)
        lines = (f"row {number} : {_line(row)}" for number, row in enumerate(shown, 1))
        text = encodable(" ".join([head, *lines]))
        tokens = self._model.tokens([text], truncation=True, max_length=most(self._model), return_tensors="pt")
        inputs = {name: value for name, value in tokens.items() if name in self._model.arguments}
        (one,) = write(self._model, inputs, min(_TOKENS, most(self._model) - 2))
        text = one.text.strip()
        found = [ModelAnswer(text, one.all, place) for place in _cells(text, table, shown)] if text else []
        return Answered(tuple(found), len(shown), len(table.rows))

    def _shown(self, question: str, head: str, table: AskedTable) -> list[AskedRow]:
        """Return as many rows as a model takes, in their order."""
        left = most(self._model) - self._count(head) - 2
        if left < min(_LEAST, most(self._model) // 2):
            raise too_long(self._count(question), self._model.card.name, most(self._model) - _LEAST)
        words = set(analysis.terms(question))
        shares = []
        for number, row in enumerate(table.rows):
            if number % _OFTEN == 0:
                deadline.check()
            shares.append(len(words & set(analysis.terms(" ".join(row.cells)))))
        kept: list[int] = []
        for number in sorted(range(len(table.rows)), key=lambda number: -shares[number]):
            left -= self._count(f"row {number + 1} : {_line(table.rows[number])}")
            if left < 0 and kept:
                break
            kept.append(number)
        return [table.rows[number] for number in sorted(kept)]

    def _count(self, text: str) -> int:
        tokens = self._model.tokens(encodable(text), add_special_tokens=False, verbose=False)
        return len(tokens["input_ids"])


def _line(row: AskedRow) -> str:
    return " | ".join(map(_plain, row.cells))


def _plain(cell: str) -> str:
    return " ".join(cell.replace("|", " ").split())[:_CELL].lower()


def _cells(text: str, table: AskedTable, shown: Sequence[AskedRow]) -> list[Place | None]:
    """Return the places of the cells that an answer, or each part of it between commas, stands in; [None] for none."""
    said = {_plain(text)} if _plain(text) in _held(shown) else {_plain(one) for one in _BETWEEN.split(text)}
    found = [
        _cell(row.place, number, len(table.columns))
        for row in shown
        for number, cell in enumerate(row.cells)
        if cell and _plain(cell) in said
    ]
    return list[Place | None](found[:_CELLS]) or [None]


def _held(rows: Sequence[AskedRow]) -> set[str]:
    return {_plain(cell) for row in rows for cell in row.cells}


def _cell(place: Place, number: int, count: int) -> Place:
    """Return the place of one cell of a row; that of all of them where it is not known which columns they are in."""
    match = re.fullmatch(r"(.*!)([A-Z]+)(\d+):([A-Z]+)\d+", place.cells or "")
    if match is None or _column(match[4]) - _column(match[2]) + 1 != count:
        return place
    return replace(place, cells=f"{match[1]}{_letters(_column(match[2]) + number)}{match[3]}")


def _column(letters: str) -> int:
    found = 0
    for letter in letters:
        found = found * _LETTERS + ord(letter) - ord("A") + 1
    return found


def _letters(column: int) -> str:
    found = ""
    while column:
        column, rest = divmod(column - 1, _LETTERS)
        found = chr(ord("A") + rest) + found
    return found


def table_of(records: Sequence[tuple[Mapping[str, str], Place]]) -> AskedTable:
    """Return a table of records by the names of their columns, in the order in which these first come."""
    columns = tuple(dict.fromkeys(name for record, _ in records for name in record))
    return AskedTable(
        columns, tuple(AskedRow(tuple(record.get(one, "") for one in columns), place) for record, place in records)
    )
