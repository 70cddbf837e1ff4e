"""Entities by rules: how fast each kind is looked for, beside embedding the same texts and beside `phonenumbers`."""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec

from benchmarks import machine
from benchmarks.corpus import data_folder
from benchmarks.labels import corpus_of
from quarry.indexer.enrichments.entities import FINDERS, entities
from quarry.search.language.amounts import amounts
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_TEXT_MODEL

EMBEDDED = 300  # texts
MATCHED = 400


def texts() -> list[str]:
    """Return abstracts, news, and Korean texts of three kinds."""
    found = [*corpus_of("retrieval/cisi"), *corpus_of("retrieval/cacm")]
    with gzip.open(data_folder() / "summarization" / "bbc_news.jsonl.gz", "rt", encoding="utf-8") as lines:
        found += [json.loads(line)["document"] for line in lines]
    for name in ("autorag", "korquad", "welfare"):
        found += corpus_of(f"korean/{name}")
    return found


def main() -> None:
    """Print characters per second of each kind."""
    print(machine.description(), file=sys.stderr)
    every = texts()
    characters = sum(map(len, every))
    rows = []
    for name, find in {**FINDERS, "amount": amounts, "all": entities}.items():
        count, seconds = timed(find, every)
        rows.append((name, f"{count:,}" if name != "all" else "", f"{characters / seconds / 1e6:.1f}"))
    print(machine.table(("field", "found", "million characters/s"), rows))
    some = every[:: len(every) // EMBEDDED]
    encoder = NamedModels().text(DEFAULT_TEXT_MODEL, prepare=True)
    started = time.process_time()
    for text in some:
        encoder.encode_documents([text[at : at + 1_000] for at in range(0, len(text), 1_000)])
    embedding = time.process_time() - started
    share = timed(entities, some)[1] / embedding
    print(f"\nOf {len(every):,} texts, {characters:,} characters; beside embedding, entities take {share:.2%}.")
    if find_spec("phonenumbers"):
        import phonenumbers

        some = every[:: len(every) // MATCHED]

        def matched(text: str) -> Iterable[str]:
            for region in ("KR", "US"):
                for match in phonenumbers.PhoneNumberMatcher(text, region):
                    yield phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)

        own = {(at, number) for at, text in enumerate(some) for number in FINDERS["phone"](text)}
        theirs = {(at, number) for at, text in enumerate(some) for number in matched(text)}
        ratio = timed(matched, some)[1] / timed(FINDERS["phone"], some)[1]
        print(f"phonenumbers takes {ratio:.1f} times as long; finds {len(theirs)} numbers, ours {len(own)}, "
              f"both {len(own & theirs)}.")  # fmt: skip


def timed(find: Callable[[str], Iterable[object]], some: list[str]) -> tuple[int, float]:
    """Return how many are found, and the processor time that it takes."""
    started = time.process_time()
    count = sum(len(list(find(text))) for text in some)
    return count, time.process_time() - started


if __name__ == "__main__":
    main()
