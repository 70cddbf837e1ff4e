"""Recordings and films, made by PyAV: nothing is heard in them that is not put there."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet

RATE = 16_000


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def recording(
    samples: np.ndarray,
    suffix: str = "wav",
    codec: str = "pcm_s16le",
    *,
    rate: int = RATE,
    layout: str = "mono",
    tags: Mapping[str, str] | None = None,
    cover: bytes = b"",
) -> bytes:
    """Write samples, of one channel that all have."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=FORMATS.get(suffix, suffix)) as container:
        container.metadata.update(tags or {})
        sound = container.add_stream(codec, rate=rate)
        sound.layout = layout
        if cover:
            shown = container.add_stream("mjpeg")
            shown.width, shown.height, shown.pix_fmt = 256, 192, "yuvj420p"
            shown.disposition = Disposition.attached_pic
            packet = av.Packet(cover)
            packet.stream, packet.pts, packet.dts, packet.time_base = shown, 0, 0, Fraction(1, 1000)
            packet.is_keyframe = True
        encode(container, sound, samples, rate, layout)
        if cover:
            container.mux(packet)
    return stream.getvalue()


def encode(container: Any, sound: Any, samples: np.ndarray, rate: int, layout: str = "mono") -> None:
    every = np.repeat(samples.astype(np.float32), av.AudioLayout(layout).nb_channels)[None]
    frame = av.AudioFrame.from_ndarray(every, "flt", layout)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    resampler = av.AudioResampler(format=sound.format.name, layout=layout, rate=sound.rate, frame_size=sound.frame_size)
    for one in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(sound.encode(one))
    container.mux(sound.encode(None))


def film(
    scenes: Sequence[np.ndarray],
    seconds: float = 3.0,
    *,
    suffix: str = "mkv",
    codec: str = "mpeg4",
    fps: int = 5,
    samples: np.ndarray | None = None,
    tags: Mapping[str, str] | None = None,
    chapters: Iterable[tuple[float, float, str]] = (),
    cues: Iterable[tuple[float, float, str]] = (),
    times: Sequence[float] = (),
    gop: int = 0,
) -> bytes:
    """Show pictures, (height, width, 3) uint8, so many seconds each.

    Args:
        times: when each frame is shown, where that is not evenly so.
        gop: frames from one key frame to the next, 0 for those of two seconds.
    """
    stream = io.BytesIO()
    with av.open(stream, "w", format=FORMATS.get(suffix, suffix)) as container:
        container.metadata.update(tags or {})
        shown = container.add_stream(codec, rate=fps)
        shown.height, shown.width = scenes[0].shape[:2]
        shown.pix_fmt = "yuv420p"
        shown.gop_size = gop or 2 * fps
        sound = (
            container.add_stream("aac" if suffix == "mp4" else "libopus", rate=48_000) if samples is not None else None
        )
        subtitles: Any = None
        if cues:
            subtitles = container.add_stream("mov_text" if suffix == "mp4" else "subrip")
            subtitles.codec_context.subtitle_header = b"[Script Info]\n"
        if listed := list(chapters):
            container.set_chapters(
                [
                    {
                        "id": number,
                        "start": int(start * 1000),
                        "end": int(end * 1000),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": title},
                    }
                    for number, (start, end, title) in enumerate(listed, 1)
                ]
            )
        frames = [scene for scene in scenes for _ in range(round(seconds * fps))]
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = int(1000 * (times[number] if times else number / fps))
            shown.codec_context.time_base = Fraction(1, fps)
            container.mux(shown.encode(frame))
        container.mux(shown.encode(None))
        for start, end, text in cues:
            said = SubtitleSet.create(
                f"0,0,Default,,0,0,0,,{text}".encode(), 0, int(1000 * (end - start)), int(1e6 * start)
            )
            packet = subtitles.codec_context.encode_subtitle(said)
            packet.stream, packet.time_base = subtitles, Fraction(1, 1000)
            packet.pts = packet.dts = int(1000 * start)
            packet.duration = int(1000 * (end - start))
            container.mux(packet)
        if sound is not None and samples is not None:
            encode(container, sound, samples, RATE)
    return stream.getvalue()


FORMATS = {"m4a": "ipod", "mkv": "matroska", "opus": "ogg"}
