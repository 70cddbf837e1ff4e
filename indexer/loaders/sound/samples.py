"""Sound as a model takes it: 16 kHz, one channel, float32, in parts of a minute that end where it is quiet.

Where a part ends depends on the sound around there alone, so that each can be had by itself, whichever were before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.indexer.loaders.base import Listener
from quarry.indexer.loaders.sound.survey import PART_S, beginning

RATE = 16_000
Samples = NDArray[np.float32]
_AROUND_S = 4.0  # seconds before and after a minute's end in which it may be quiet
_QUIET = RATE // 5  # samples over which that is measured
_BEFORE_S = 15.0  # how much earlier decoding begins: what codecs carry over is right by then
_INEXACT = ("mp3", "aac")  # containers in which no moment can be found but by reading all before it


def parts(container: Any, wanted: Sequence[int], watch: Listener) -> Iterator[tuple[int, float, Samples]]:
    """Yield parts by their numbers, from 1, ascending: each with the second that it begins at and its (n,) samples.

    A part that the file turns out not to have is left out.
    """
    if not wanted:
        return
    first = (wanted[0] - 1) * PART_S
    begin = first - _AROUND_S - _BEFORE_S
    begin = begin if begin > 0 and container.format.name.partition(",")[0] not in _INEXACT else 0.0
    if begin:
        container.seek(int((begin + beginning(container)) * 1e6))
    held, at = np.zeros(0, np.float32), int(begin * RATE)  # what is held, and the sample that it begins at
    start: int | None = 0 if wanted[0] == 1 else None
    number = wanted[0]
    last, ended = wanted[-1], False
    pieces = _pieces(container, watch)
    while number <= last and not ended:
        end_s = number * PART_S + _AROUND_S
        while at + len(held) < end_s * RATE:
            piece = next(pieces, None)
            if piece is None:
                ended = True
                break
            if start is None and piece[0] + len(piece[1]) < (first - _AROUND_S) * RATE:
                continue  # of the parts before
            held, at = _put(held, at, *piece)
        if start is None:
            start = _quietest(held, at, first)
        end = at + len(held) if ended else _quietest(held, at, number * PART_S)
        if number in wanted and end > max(start, at):
            yield number, max(start, at) / RATE, np.ascontiguousarray(held[max(0, start - at) : end - at])
        kept = max(0, end - at - RATE)
        held, at, start = held[kept:], at + kept, end
        number += 1


def _put(held: Samples, at: int, begins: int, piece: Samples) -> tuple[Samples, int]:
    """Put samples where they belong after those that are held: what is missing is silent, what overlaps is left out."""
    most = int(2 * (PART_S + _AROUND_S) * RATE)
    gap = begins - (at + len(held))
    if not len(held) and gap > 0:
        return piece, begins
    if gap > most:  # nothing is heard for minutes: only what comes after counts
        return np.concatenate([np.zeros(most, np.float32), piece]), begins - most
    if gap > 0:
        piece = np.concatenate([np.zeros(gap, np.float32), piece])
    return np.concatenate([held, piece[max(0, -gap) :]]), at


def _quietest(held: Samples, at: int, seconds: float) -> int:
    """Return the sample in the middle of the quietest moment around a second."""
    left = max(0, int((seconds - _AROUND_S) * RATE) - at)
    around = held[left : max(left, int((seconds + _AROUND_S) * RATE) - at)]
    count = len(around) // _QUIET
    if not count:
        return min(int(seconds * RATE), at + len(held))
    loudness = np.sqrt(np.mean(np.square(around[: count * _QUIET].reshape(count, _QUIET)), axis=1))
    quiet = np.flatnonzero(loudness <= loudness.min() * 1.1 + 1e-4)
    middle = int(quiet[np.abs(quiet - count / 2).argmin()])  # of several the one next to the minute's end
    return at + left + middle * _QUIET + _QUIET // 2


def _pieces(container: Any, watch: Listener) -> Iterator[tuple[int, Samples]]:
    """Decode the first stream of sound: the sample that each piece begins at, and its samples."""
    from av import AudioResampler
    from av.error import FFmpegError

    stream = next(iter(container.streams.audio), None)
    if stream is None:
        return
    start = beginning(container)
    resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
    gathered, begins, length = list[Samples](), 0, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else []
        except (FFmpegError, EOFError) as error:
            if isinstance(error, EOFError):
                packet = None
            frames = []
        if packet is None:
            break
        watch.reached(0.0)
        for frame in frames:
            stamp = frame.time
            for one in resampler.resample(frame):
                samples = np.nan_to_num(one.to_ndarray().reshape(-1)).clip(-1.0, 1.0).astype(np.float32)
                where = round((stamp - start) * RATE) if stamp is not None else begins + length
                if gathered and abs(where - (begins + length)) > RATE // 20:  # a gap, or a leap back
                    yield begins, np.concatenate(gathered)
                    gathered, length = [], 0
                if not gathered:
                    begins = where
                gathered.append(samples)
                length += len(samples)
        if length >= RATE:
            yield begins, np.concatenate(gathered)
            begins, gathered, length = begins + length, [], 0
    if gathered:
        yield begins, np.concatenate(gathered)
