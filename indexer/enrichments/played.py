"""What is played, as models take it: the sound of a recording, a minute at a time, and frames of a film, all of it read
in the confined child.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quarry.indexer.enrichments.base import Filmed, Recorded
from quarry.indexer.loaders.base import Listening, LoadOptions
from quarry.indexer.loaders.sandbox.endings import TookLong
from quarry.indexer.parsers import PARSERS
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import FileUnreadable, LoadError
from quarry.search.types import Pixels, Preprocessing

RATE = 16_000
Samples = NDArray[np.float32]
_SIDE = 320  # pixels of a frame: models of films take 224
_LOUDEST = 32_768.0


def minutes(item: Recorded) -> Iterator[tuple[float, Samples]]:
    """Yield the minutes of a recording that are asked for: the second at which each begins, and its (n,) samples, of
    one channel, -1 to 1, `RATE` a second.

    Raises:
        FileUnreadable: it can't be read now.
        LoadError: it can't be read, or not in time.
    """
    content, name = _taken(item)
    options = LoadOptions(listening=Listening("", item.parts))
    for one in PARSERS.load(content, name, options):
        if one.samples and one.place and one.place.seconds:
            yield one.place.seconds[0], np.frombuffer(one.samples, "<i2").astype(np.float32) / _LOUDEST


def frames(item: Filmed, seconds: Sequence[float]) -> Iterator[Pixels]:
    """Yield the frames of a film at some seconds, (height, width, 3) uint8; those that it has not are left out.

    Raises:
        FileUnreadable: it can't be read now.
        TookLong: a frame can't be read in time.
        LoadError: none can be read.
    """
    wrong, count = list[LoadError](), 0
    inner = f"{item.key}#" if item.key else ""
    keys = [f"{inner}frame-{second:.3f}.jpg" for second in seconds]
    stills = dict.fromkeys(keys, b"")
    try:
        for piece in PARSERS.extract(item.path, keys) if keys else ():
            stills[piece.key] += piece.data
    except (FileUnreadable, TookLong):
        raise
    except LoadError as error:
        wrong.append(error)  # what came before is good
    for data in filter(None, stills.values()):
        try:
            read = QueryPictures(PARSERS).read(data, Preprocessing(_SIDE, _SIDE, "within"))
            count += 1
            yield read.pixels.copy()  # torch warns of what can't be written to
        except (FileUnreadable, TookLong):
            raise
        except LoadError as error:
            wrong.append(error)
    if wrong and not count:
        raise wrong[0]


def _taken(item: Recorded) -> tuple[Path | bytes, str]:
    """Return the file of a recording, or its content where it lies within another, and its name."""
    if not item.key:
        return item.path, item.name
    pieces = list(PARSERS.extract(item.path, [item.key]))
    if not pieces or not pieces[0].name:
        return item.path, item.name
    return b"".join(piece.data for piece in pieces), Path(pieces[0].name).name
