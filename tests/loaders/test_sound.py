"""Recordings and films as documents: tags, chapters, subtitles and scenes with their seconds, and odd files."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quarry.indexer.loaders.base import UNWATCHED, Listener
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sound.container import opened
from quarry.indexer.loaders.sound.recording import _Stills
from quarry.indexer.loaders.sound.samples import RATE, parts
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests.loaders.scenes import encoded, scene
from tests.sound_files import film, recording, tone

TAGS = {"title": "Ferry notice", "artist": "Ada", "album": "Notices", "date": "2024-05-02", "comment": "On the pier."}
CUES = [(1.0, 2.5, "Welcome aboard."), (6.0, 8.0, "The lighthouse is on your left.")]


def picture(seed: int) -> np.ndarray:
    """Something like no other: 128 x 96 pixels of coloured fields."""
    fields = np.random.default_rng(seed).integers(0, 255, (6, 8, 3))
    return np.kron(fields, np.ones((16, 16, 1))).astype(np.uint8)


SCENES = [picture(seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def load(sandbox: Sandbox, folder: Path, name: str, content: bytes) -> list[Parsed]:
    path = folder / name
    path.write_bytes(content)
    return list(sandbox.load(path.resolve()))


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "type"),
    [
        ("wav", "pcm_s16le", 8_000, "audio/wav"),
        ("mp3", "libmp3lame", 16_000, "audio/mpeg"),
        ("m4a", "aac", 16_000, "audio/mp4"),
        ("flac", "flac", 16_000, "audio/flac"),
        ("ogg", "libopus", 48_000, "audio/ogg"),
        ("opus", "libopus", 48_000, "audio/ogg"),
    ],
)
def test_a_recording_says_what_its_tags_say(
    sandbox: Sandbox, tmp_path: Path, suffix: str, codec: str, rate: int, type: str
) -> None:
    (parsed,) = load(sandbox, tmp_path, f"a.{suffix}", recording(tone(2, rate), suffix, codec, rate=rate, tags=TAGS))
    assert (parsed.type, parsed.title, parsed.text) == (type, "Ferry notice", "On the pier.")
    assert parsed.metadata["duration"] == pytest.approx(2, abs=0.15)
    told = {name: parsed.metadata[name] for name in ("artist", "author", "album", "date")}
    assert told == {"artist": "Ada", "author": "Ada", "album": "Notices", "date": "2024-05-02"}
    assert parsed.recording is not None and parsed.recording.parts == 1


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("mkv", "mpeg4")])
def test_a_film_has_subtitles_chapters_and_a_picture_of_each_scene(
    sandbox: Sandbox, tmp_path: Path, suffix: str, codec: str
) -> None:
    content = film(
        SCENES,
        suffix=suffix,
        codec=codec,
        samples=tone(9),
        tags=TAGS,
        chapters=[(0, 5, "Departure"), (5, 9, "The lighthouse")],
        cues=CUES,
    )
    parsed, *frames = load(sandbox, tmp_path, f"film.{suffix}", content)
    assert parsed.text == (
        "On the pier.\n\nDeparture\nWelcome aboard.\n\nThe lighthouse\n\nThe lighthouse is on your left."
    )
    assert [heading.text for heading in parsed.headings] == ["Departure", "The lighthouse"]
    said = {parsed.text[start:].split("\n")[0]: place for start, place in parsed.places}
    assert said["Welcome aboard."] == Place(seconds=(1.0, 2.5))
    assert said["The lighthouse is on your left."] == Place(seconds=(6.0, 8.0))
    assert (parsed.metadata["width"], parsed.metadata["height"]) == (128, 96)

    assert [frame.place.seconds[0] for frame in frames if frame.place and frame.place.seconds] == [0.0, 3.0, 6.0]
    assert [frame.metadata["section"] for frame in frames] == ["Departure", "Departure", "The lighthouse"]
    for frame, shot in zip(frames, SCENES, strict=True):
        assert frame.picture is not None and frame.title == "Ferry notice"
        shown = np.asarray(Image.fromarray(frame.picture.pixels).resize((8, 6), Image.Resampling.BOX)).astype(int)
        assert np.abs(shown - shot[8::16, 8::16]).mean() < 16

    (piece, *rest) = sandbox.extract(tmp_path / f"film.{suffix}", frames[1].key)
    assert piece.name == "frame-3.000.jpg" and b"".join(one.data for one in rest).startswith(b"\xff\xd8")


def test_what_holds_no_words_is_found_by_its_tags_or_its_name(sandbox: Sandbox, tmp_path: Path) -> None:
    tags = {"title": "Air", "artist": "Johann Bach", "album": "Suites"}
    (tagged,) = load(sandbox, tmp_path, "03.mp3", recording(tone(1), "mp3", "libmp3lame", tags=tags))
    (named,) = load(sandbox, tmp_path, "talk_about-bees.wav", recording(tone(1)))
    assert (tagged.text, named.text, named.title) == ("Air\nJohann Bach\nSuites", "talk about bees", "")


def test_a_cover_is_a_picture_of_the_document(sandbox: Sandbox, tmp_path: Path) -> None:
    cover = encoded(Image.fromarray(picture(9)).resize((256, 192)), "JPEG")
    parsed, shown = load(sandbox, tmp_path, "a.mp3", recording(tone(2), "mp3", "libmp3lame", tags=TAGS, cover=cover))
    assert (shown.key, shown.text, shown.place) == ("cover.jpg", "Ferry notice", None)
    assert shown.metadata["author"] == "Ada" and shown.picture is not None and parsed.recording is not None


def test_a_scene_that_only_moves_is_one(sandbox: Sandbox, tmp_path: Path) -> None:
    house = np.asarray(scene(256, 192))
    moved = [house[shift : shift + 96, shift : shift + 128] for shift in range(8)]
    _, *frames = load(sandbox, tmp_path, "pan.mkv", film(moved, 1.0))
    assert len(frames) == 1


def test_frames_of_uneven_lengths_stand_at_their_seconds(sandbox: Sandbox, tmp_path: Path) -> None:
    times = [0.0, 0.2, 0.4, 4.0, 4.6, 4.8, 9.4, 9.6, 11.0]
    _, *frames = load(sandbox, tmp_path, "vfr.mkv", film(SCENES, 0.6, times=times, codec="ffv1"))
    assert [frame.place.seconds[0] for frame in frames if frame.place and frame.place.seconds] == [0.0, 4.0, 9.4]


def test_frames_far_from_a_key_frame_are_decoded_once_and_in_no_silence(tmp_path: Path) -> None:
    path, told = tmp_path / "film.mkv", list[float]()
    path.write_bytes(film(SCENES, 2.0, gop=1_000))
    watch = Listener(reached=told.append)
    with path.open("rb") as stream, opened(stream) as container:
        stills = _Stills(container, container.streams.video[0], [0.0], watch)
        shown = [Image.open(io.BytesIO(stills.at(at))) for at in (1.8, 2.8, 5.8, 0.4)]
        assert len(told) == 30 + 3  # each frame once, and those up to the last one, which lies before
    for image, shot in zip(shown, [*SCENES, SCENES[0]], strict=True):
        seen = np.asarray(image.resize((8, 6), Image.Resampling.BOX)).astype(int)
        assert np.abs(seen - shot[8::16, 8::16]).mean() < 16


@pytest.mark.parametrize(("name", "said"), [("a.mp3", "it is no MP3"), ("a.mp4", "it is no MP4")])
def test_a_text_that_is_named_so_is_none(sandbox: Sandbox, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(FileMalformed, match=said):
        load(sandbox, tmp_path, name, b"No sound at all, but a few words about one.\n")


def test_one_container_is_read_under_the_name_of_another(sandbox: Sandbox, tmp_path: Path) -> None:
    (parsed,) = load(sandbox, tmp_path, "a.mp3", recording(tone(1), "m4a", "aac"))
    assert parsed.type == "audio/mp4"


def test_what_is_cut_off_is_read_up_to_there(sandbox: Sandbox, tmp_path: Path) -> None:
    whole = film(SCENES, samples=tone(9), cues=CUES)
    parsed, *frames = load(sandbox, tmp_path, "cut.mkv", whole[: len(whole) * 2 // 3])
    assert parsed.text.startswith("Welcome aboard.") and frames and parsed.metadata["duration"] < 9
    assert "it says that it takes 9 s" in parsed.warning + frames[-1].warning
    with pytest.raises(FileMalformed, match="it is damaged"):
        load(sandbox, tmp_path, "cut.mp4", film(SCENES, suffix="mp4", codec="libx264")[:2_000])


def test_damage_ends_in_an_error_or_in_what_is_left(sandbox: Sandbox, tmp_path: Path) -> None:
    whole = film(SCENES, samples=tone(9), cues=CUES)
    for seed in range(12):
        random = np.random.default_rng(seed)
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole), 40):
            damaged[at] = random.integers(0, 256)
        try:
            assert load(sandbox, tmp_path, "damaged.mkv", bytes(damaged))
        except FileMalformed:
            pass


def test_a_file_that_is_named_in_another_is_not_opened(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(recording(tone(3)))
    lists = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:3,\n" + str(secret).encode() + b"\n#EXT-X-ENDLIST\n"
    for content in (lists, b"ID3" + lists, b"ffconcat version 1.0\nfile " + str(secret).encode() + b"\n"):
        with pytest.raises(FileMalformed):
            load(sandbox, tmp_path, "a.mp3", content)


def test_no_host_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(film(SCENES, 1.0))
    program = (
        "import sys; from pathlib import Path\n"
        "from quarry.indexer.loaders.loading import load\n"
        "assert list(load(Path(sys.argv[1])))"
    )
    traced = ["strace", "-f", "-e", "trace=connect,socket", "-o", str(tmp_path / "trace")]
    import sys

    subprocess.run([*traced, sys.executable, "-c", program, str(path)], check=True)
    assert "AF_INET" not in (tmp_path / "trace").read_text()


def test_parts_end_where_it_is_quiet_and_are_the_same_one_by_one(tmp_path: Path) -> None:
    seconds = np.arange(150 * RATE) / RATE
    samples = (0.4 * np.sin(2 * np.pi * 300 * seconds)).astype(np.float32)
    for quiet in (58.5, 122.0):
        samples[int(quiet * RATE) : int((quiet + 0.6) * RATE)] = 0
    path = tmp_path / "long.flac"
    path.write_bytes(recording(samples, "flac", "flac"))

    def read(wanted: tuple[int, ...]) -> dict[int, tuple[float, np.ndarray]]:
        with path.open("rb") as stream, opened(stream) as container:
            return {number: (start, piece) for number, start, piece in parts(container, wanted, UNWATCHED)}

    every = read((1, 2, 3))
    starts = [start for start, _ in every.values()]
    assert starts[0] == 0 and 58.5 < starts[1] < 59.1 and 122 < starts[2] < 122.6
    assert sum(len(piece) for _, piece in every.values()) == len(samples)
    for number, (start, piece) in every.items():
        alone = read((number,))[number]
        assert alone[0] == pytest.approx(start, abs=0.3)
        assert len(alone[1]) == pytest.approx(len(piece), abs=0.6 * RATE)
    assert read((7,)) == {}


def test_any_number_of_channels_and_any_rate_become_one(tmp_path: Path) -> None:
    for name, content in {
        "surround.wav": recording(tone(1, 44_100), "wav", "pcm_f32le", rate=44_100, layout="7.1"),
        "old.wav": recording(tone(1, 8_000), rate=8_000),
        "clipped.wav": recording(np.clip(20 * tone(1), -1, 1)),
        "loud.wav": recording(np.full(RATE, np.nan, np.float32), "wav", "pcm_f32le"),
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        with path.open("rb") as stream, opened(stream) as container:
            ((number, start, samples),) = parts(container, (1,), UNWATCHED)
        assert (number, start, samples.dtype) == (1, 0.0, np.float32)
        assert len(samples) == pytest.approx(RATE, rel=0.02) and np.abs(samples).max() <= 1
