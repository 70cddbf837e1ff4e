"""Rows of `indexer.exchange.dump` as Parquet, by pyarrow, which is imported here only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from quarry.search.errors import FileMalformed, MissingExtra

_ROWS = 100  # of a group: what is in memory at once
MAGIC = b"PAR1"


def write_parquet(stream: BinaryIO, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows, with a column for everything whether there is any or not."""
    pyarrow, parquet = _pyarrow()
    schema = _schema(pyarrow)
    rows = iter(rows)
    with parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROWS)):
            for row in group:
                row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False)
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def read_parquet(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """Yield rows.

    Raises:
        FileMalformed: it is no Parquet file, or damaged.
        MissingExtra: pyarrow is not installed.
    """
    pyarrow, parquet = _pyarrow()
    try:
        for batch in parquet.ParquetFile(stream).iter_batches(batch_size=_ROWS, use_threads=False):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise FileMalformed(f"{name} can't be read as Parquet: {str(error).splitlines()[0]}") from error


def _schema(pyarrow: Any) -> Any:
    text, whole = pyarrow.string(), pyarrow.int64()
    numbers = pyarrow.list_(pyarrow.float32())
    heading = pyarrow.struct({"start": whole, "level": whole, "text": text})
    passage = pyarrow.struct(
        {"start": whole, "end": whole, "page": whole, "heading": text, "key": text, "vector": numbers}
    )
    texts = ("id", "uri", "kind", "type", "title", "own_title", "metadata", "modified", "indexed", "text")
    return pyarrow.schema(
        {
            **dict.fromkeys(texts, text),
            "pages": pyarrow.list_(whole),
            "headings": pyarrow.list_(heading),
            "thumbnail": pyarrow.binary(),
            "text_model": text,
            "passages": pyarrow.list_(passage),
            "picture_key": text,
            "picture_vector": numbers,
            "image_model": text,
        }
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow: `pip install quarry-search[parquet]`.") from error
    return pyarrow, parquet
