"""Questions that one passage answers, as judged collections: what `benchmarks.fusion` measures beside BEIR's."""

from __future__ import annotations

import json
from pathlib import Path

from quarry.search.evaluations.rankings import rows_of


def laid_out(questions: Path, folder: Path) -> Path:
    """Write a file of questions with contexts as a folder in BEIR layout, in `folder`, and return it.

    Every context is a document, once. A question that its context answers is a query, and that context alone is right:
    what answers it as well by chance counts as wrong, so figures are low where questions name nothing ("Is it good?").
    """
    target = folder / questions.name.split(".")[0].removesuffix("-test").removesuffix("-dev")
    (target / "qrels").mkdir(parents=True)
    documents: dict[str, str] = {}
    asked: dict[tuple[str, str], str] = {}
    for _, row in rows_of(questions):
        document = documents.setdefault(row["context"], f"c{len(documents)}")
        if row["answers"]:
            asked.setdefault((row["question"], document), f"q{len(asked)}")
    corpus = [{"_id": id, "title": "", "text": text} for text, id in documents.items()]
    queries = [{"_id": id, "text": question} for (question, _), id in asked.items()]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (target / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    judged = [f"{id}\t{document}\t1" for (_, document), id in asked.items()]
    (target / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n", "utf-8")
    return target
