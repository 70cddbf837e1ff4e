"""files -> documents -> chunks -> vectors -> catalog, top to bottom."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from quarry.indexer.cluster.base import Cluster
from quarry.indexer.cluster.portions import embedding_elsewhere
from quarry.indexer.cluster.sending import read_elsewhere
from quarry.indexer.estimate import WHOLE, Estimate
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.prefetch import prefetch
from quarry.indexer.reading import FileDocument, FileEnd, FilePart, FileReached, FileToRead, read
from quarry.indexer.report import Progress, Report
from quarry.indexer.storing import begin_batch, commit_batch
from quarry.indexer.writer import Writer, flush
from quarry.search.media.base import medium

BATCH_PASSAGES = 512  # one commit; some seconds of embedding on two cores
BATCH_ITEMS = 4 * BATCH_PASSAGES
FLUSH_BATCHES = 32
_AHEAD = 2 * BATCH_PASSAGES


def index(
    readings: Sequence[FileToRead],
    sandbox: Sandbox,
    writer: Writer,
    progress: Progress,
    report: Report,
    cluster: Cluster | None = None,
) -> None:
    """Read files and commit their documents, batch by batch; a bad file is reported and passed by.

    Args:
        cluster: where they are read and embedded; None for here.
    """
    estimate = Estimate(reading.found for reading in readings)
    progress.start(len(readings), WHOLE)
    if cluster is None:
        parts = prefetch(read(readings, sandbox, writer.encoder_for), _AHEAD, _weight, sandbox.cancel)
    else:
        progress.note(cluster.described)
        writer = embedding_elsewhere(writer, cluster)
        parts = read_elsewhere(readings, cluster, sandbox, writer)
    try:
        for number, batch in enumerate(_begun(batches(_told(parts, progress)), writer), start=1):
            progress.note(batch[-1].reading.found.path)
            told = _Told(batch, estimate, progress)
            commit_batch(batch, writer, report, told.embedded)
            for part in batch:
                _count(part, estimate)
            ends = sum(isinstance(part, FileEnd) for part in batch)
            progress.advance(ends, estimate.steps(), told.left)
            if number % FLUSH_BATCHES == 0:
                flush(writer.vectors)
    finally:
        parts.close()


def _begun(whole: Iterable[list[FileDocument | FileEnd]], writer: Writer) -> Iterator[list[FileDocument | FileEnd]]:
    """Yield batches enriched, while those after them are embedded elsewhere, where they are."""
    waiting = deque[list[FileDocument | FileEnd]]()
    weight = 0
    for batch in whole:
        waiting.append(begin_batch(batch, writer))
        weight += sum(map(_weight, waiting[-1]))
        while waiting and weight >= writer.ahead:
            weight -= sum(map(_weight, waiting[0]))
            yield waiting.popleft()
    yield from waiting


class _Told:
    """Tells how far a batch is while it is embedded, which takes minutes for a long document."""

    def __init__(self, batch: Sequence[FileDocument | FileEnd], estimate: Estimate, progress: Progress) -> None:
        self.left = sum(map(_passages, batch))  # passages that were not told of
        documents = [part.prepared.document for part in batch if isinstance(part, FileDocument)]
        self._each = sum(len(document.text) for document in documents) / max(1, self.left)
        self._estimate, self._progress = estimate, progress

    def embedded(self, passages: int) -> None:
        """Tell of so many more, which are staged."""
        passages = min(passages, self.left)
        self.left -= passages
        self._estimate.embed(passages * self._each)
        self._progress.advance(0, self._estimate.steps(), passages)


def _told(parts: Iterable[FilePart], progress: Progress) -> Iterator[FileDocument | FileEnd]:
    """Yield what is to be written; where a long document is being read, tell how far."""
    for part in parts:
        if isinstance(part, FileReached):
            progress.note(f"{part.share:.0%} of {part.reading.found.path}")
        else:
            yield part


def batches(parts: Iterable[FileDocument | FileEnd]) -> Iterator[list[FileDocument | FileEnd]]:
    """Group parts of files into commits of bounded size; a document is never divided, nor a file's end cut off."""
    batch: list[FileDocument | FileEnd] = []
    weight = 0
    for part in parts:
        if isinstance(part, FileDocument) and (weight >= BATCH_PASSAGES or len(batch) >= BATCH_ITEMS):
            yield batch
            batch, weight = [], 0
        batch.append(part)
        weight += _weight(part) - 1
    if batch:
        yield batch


def _count(part: FileDocument | FileEnd, estimate: Estimate) -> None:
    if isinstance(part, FileEnd):
        estimate.end(part.found, part.reading.found)
    else:
        estimate.read(part.reading.found, len(part.prepared.document.text), part.share)


def _passages(part: FilePart) -> int:
    return len(part.prepared.document.keys) if isinstance(part, FileDocument) else 0


def _weight(part: FilePart) -> int:
    """What holding a part costs, in passages: the pixels of a picture take as much memory as many of these."""
    parts = part.prepared.parts.values() if isinstance(part, FileDocument) else ()
    return 1 + _passages(part) + sum(medium(one.medium).weight - 1 for one in parts)
