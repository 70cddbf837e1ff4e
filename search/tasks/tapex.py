"""TAPEX (Liu et al. 2022): a table is one text, the question, the names of its columns, row after row; what the model
writes is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.windows import most
from quarry.search.models.auto.writing import write
from quarry.search.models.tokenizing import encodable
from quarry.search.tasks.answers import TableReply

_TOKENS = 48  # of an answer
_NUMBER = 100  # as long as that of a row is


class Tapex:
    """Reads tables as TAPEX does.

    Args:
        model: that was trained so.
    """

    def __init__(self, model: AutoModel) -> None:
        self._model = model

    def head(self, question: str, columns: Sequence[str]) -> int:
        """Return how many tokens a question takes with the names of the columns."""
        return self._count(_head(question, columns)) + 2

    def row(self, cells: Sequence[str]) -> int:
        """Return how many tokens a row takes."""
        return self._count(_row(_NUMBER, cells))

    def reply(self, question: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[TableReply]:
        """Return what the model writes, nothing where it writes nothing; raise `ModelError` where it fails."""
        lines = (_row(number, cells) for number, cells in enumerate(rows, 1))
        text = encodable(" ".join([_head(question, columns), *lines]))
        tokens = self._model.tokens([text], truncation=True, max_length=most(self._model), return_tensors="pt")
        inputs = {name: value for name, value in tokens.items() if name in self._model.arguments}
        (one,) = write(self._model, inputs, min(_TOKENS, most(self._model) - 2))
        return [TableReply(text, one.all)] if (text := one.text.strip()) else []

    def _count(self, text: str) -> int:
        return len(self._model.tokens(encodable(text), add_special_tokens=False, verbose=False)["input_ids"])


def _head(question: str, columns: Sequence[str]) -> str:
    return f"{question} col : {_line(columns)}"


def _row(number: int, cells: Sequence[str]) -> str:
    return f"row {number} : {_line(cells)}"


def _line(cells: Sequence[str]) -> str:
    return " | ".join(" ".join(cell.replace("|", " ").split()) for cell in cells).lower()
