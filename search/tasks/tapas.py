"""TAPAS (Herzig et al. 2020): a model chooses the cells of a table that answer a question, or whose sum, mean or number
does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.models.auto.serving import AutoModel, sigmoid, softmax
from quarry.search.models.auto.windows import most
from quarry.search.models.tokenizing import encodable
from quarry.search.requests import deadline
from quarry.search.tasks.answers import TableReply

FAMILY = "tapas"
_CHOSEN = 0.5  # probability of a cell, from which on it is of the answer
_NAMED = 20  # cells in the text of an answer
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?")
_KINDS = ("NONE", "SUM", "AVERAGE", "COUNT")  # where a configuration does not name them


class Tapas:
    """Reads tables as TAPAS does.

    Args:
        model: a `TapasForQuestionAnswering`.
    """

    def __init__(self, model: AutoModel) -> None:
        self._model = model

    def head(self, question: str, columns: Sequence[str]) -> int:
        """Return how many tokens a question takes with the names of the columns; raise `InvalidRequest` where there are
        more columns than the model tells apart.
        """
        count = self._most(1)
        if len(columns) > count:
            raise InvalidRequest(f"The table has {len(columns):,} columns; {self._model.card.name} takes {count:,}.")
        return self._count(question) + 2 + self.row(columns)

    def row(self, cells: Sequence[str]) -> int:
        """Return how many tokens a row takes; an empty cell takes one."""
        return sum(max(1, self._count(cell)) for cell in cells)

    def reply(self, question: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[TableReply]:
        """Return the cells that the model chooses, the likeliest first; raise `ModelError` where it fails.

        Where they come to something, each has that as its text, and how sure the model is, is the probability of the
        least likely of them, times that of what is to be done with them.
        """
        rows = rows[: self._most(2)]
        inputs = self._inputs(question, columns, rows)
        outputs = self._model.outputs({name: one for name, one in inputs.items() if name in self._model.arguments})
        of_table, column, row = np.asarray(inputs["token_type_ids"][0])[:, :3].T
        shares: dict[tuple[int, int], list[float]] = {}
        for at, share in enumerate(sigmoid(outputs.logits)[0]):
            if of_table[at] and row[at] and column[at]:
                shares.setdefault((int(row[at]) - 1, int(column[at]) - 1), []).append(float(share))
        sure = {cell: sum(own) / len(own) for cell, own in shares.items()}
        chosen = sorted(cell for cell, share in sure.items() if share > _CHOSEN)
        kind, likely = self._kind(outputs)
        if not kind or not chosen:
            chosen.sort(key=lambda cell: -sure[cell])
            return [TableReply(rows[at][own], sure[at, own] * likely, (at, own)) for at, own in chosen]
        text = _made(kind, [rows[at][own] for at, own in chosen])
        return [TableReply(text, min(sure[one] for one in chosen) * likely, cell) for cell in chosen]

    def _inputs(self, question: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
        import pandas

        table = pandas.DataFrame([list(map(encodable, row)) for row in rows], columns=list(map(encodable, columns)))
        options = {"truncation": "drop_rows_to_fit", "max_length": most(self._model), "return_tensors": "pt"}
        try:
            return self._model.tokens(table=table.astype(object), queries=question, **options)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # what it makes of numbers and dates
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ModelError(f"{self._model.card.name} can't take that table: {reason}.") from error

    def _kind(self, outputs: Any) -> tuple[str, float]:
        """Return what is to be done with the cells, and how likely that is; "" for nothing."""
        if getattr(outputs, "logits_aggregation", None) is None:
            return "", 1.0
        shares = softmax(outputs.logits_aggregation)[0]
        best = int(shares.argmax())
        named = getattr(self._model.model.config, "aggregation_labels", None) or dict(enumerate(_KINDS))
        kind = str(named.get(best, "")).upper()
        return "" if kind == _KINDS[0] else kind, float(shares[best])

    def _most(self, kind: int) -> int:
        """Return how many columns (1) or rows (2) the model tells apart."""
        return int(self._model.model.config.type_vocab_sizes[kind]) - 1

    def _count(self, text: str) -> int:
        with deadline.holding(self._model.running):
            return len(self._model.words.tokenize(encodable(text)))


def _made(kind: str, cells: Sequence[str]) -> str:
    """Return what cells come to, with what it is made of."""
    more = f" and {len(cells) - _NAMED:,} more" if len(cells) > _NAMED else ""
    named = ", ".join(cells[:_NAMED]) + more
    numbers = [_number(cell) for cell in cells]
    known = [one for one in numbers if one is not None]
    if kind == "COUNT":
        found: float | None = len(cells)
    elif len(known) < len(cells) or kind not in _KINDS:
        found = None
    else:
        found = sum(known) if kind == "SUM" else sum(known) / len(known)
    made = f"{kind.lower()} of {named}"
    return made if found is None else f"{_written(found)} ({made})"


def _number(cell: str) -> float | None:
    """Return the number that a cell is; None where its comma may be a point, as of 1,5."""
    try:
        found = float(cell.replace(",", "") if _GROUPED.fullmatch(cell) else cell)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _written(number: float) -> str:
    return f"{round(number):,}" if number == round(number) else f"{round(number, 6):,}"
