"""What models find in recordings and films, by tiny models saved to disk: labels with their seconds, and words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quarry.api import Library
from quarry.indexer.enrichments.base import Recorded, Result
from quarry.indexer.enrichments.played import RATE, minutes
from quarry.indexer.enrichments.tasks.table import TASKS
from quarry.search.errors import ModelError
from quarry.search.models.auto import source
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.tasks import ChosenModel
from tests.enrichments.sound_models import SAID, save
from tests.sound_files import film, recording, tone

Saved = Callable[..., Path]
GRAIN = np.random.default_rng(7).integers(0, 60, (120, 160, 3)).astype(np.uint8)  # what is of one colour is no picture
DARK, LIGHT = GRAIN, GRAIN + 190


def found(task: str, kind: str, item: object, tmp_path: Path) -> Result:
    model = save(tmp_path / kind, kind)
    card = source.resolve(str(model), TASKS[task].task)
    (result,) = TASKS[task](ChosenModel("heard", task, str(model), card.identity)).enrich([item])
    assert result is not None
    return result


def test_the_sound_itself_is_had_by_minutes(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    sound = np.concatenate([tone(70), np.zeros(5 * 8_000, np.float32)])
    path.write_bytes(recording(sound, rate=16_000))
    (second,) = minutes(Recorded(path, (2,)))
    first, again = minutes(Recorded(path, (1, 2)))
    assert first[0] == 0 and again[0] == second[0] == pytest.approx(len(first[1]) / RATE, abs=0.01)
    assert len(first[1]) + len(again[1]) == pytest.approx(len(sound), abs=RATE // 100)
    assert 0.28 < np.abs(first[1]).max() < 0.32 and np.array_equal(second[1], again[1])


@pytest.mark.parametrize(("kind", "labels"), [("wav2vec2", ["dog_bark"]), ("ast", ["dog_bark", "hum"])])
def test_recordings_are_classified(kind: str, labels: list[str], tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    silence = np.zeros(20 * RATE, np.float32)
    path.write_bytes(recording(np.concatenate([tone(20), silence, tone(3)])))
    result = found("audio-classification", kind, Recorded(path, (1,)), tmp_path)
    assert result.fields == {"heard": labels} and result.confidence["heard"]["dog_bark"] > 0.9
    barks = [one for one in result.said if one.text == "dog bark"]
    assert [one.place and one.place.seconds for one in barks] == [(0.0, 20.0), (40.0, 43.0)]  # none in the silence
    path.write_bytes(recording(silence[:RATE]))
    assert found("audio-classification", kind, Recorded(path, (1,)), tmp_path / "other") == Result()


def test_what_is_heard_is_found_at_its_second(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "long.wav").write_bytes(recording(tone(61)))
    (root / "note.txt").write_text("No sound.")
    model = save(tmp_path / "model", "wav2vec2")
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.index(root, transcribe="off")
        library.enrich({"heard": f"audio-classification:{model}"})
        (hit,) = library.search("dog bark", mode="lexical").hits
        assert hit.said_by == "heard" and hit.place and hit.place.seconds == (0.0, 61.0)
        (coverage,) = [one.coverage for one in library.enrichments()]
        assert (coverage.documents, coverage.could, coverage.failed) == (1, 1, 0)
        assert library.documents(filter={"heard": "dog_bark"})[1] == 1
        library.enrich(remove="heard")
        assert not library.search("dog bark", mode="lexical").hits


@pytest.mark.parametrize("kind", ["videomae", "timesformer"])
def test_films_are_classified(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, shown in (("night.mkv", DARK), ("day.mkv", LIGHT)):
        (root / name).write_bytes(film([shown], 4.0))
    model = save(tmp_path / "model", kind)
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.index(root)
        library.enrich({"scene": f"video-classification:{model}"})
        assert library.get(root / "night.mkv").enriched["scene"] == "dark"
        assert library.get(root / "day.mkv").enriched["scene"] == "light"
        assert library.get(root / "day.mkv").enriched["confidence"]["scene"]["light"] > 0.5
        (coverage,) = [one.coverage for one in library.enrichments()]
        assert (coverage.documents, coverage.could, coverage.failed) == (2, 2, 0)


@pytest.mark.parametrize("kind", ["wav2vec2 ctc", "hubert ctc"])
def test_what_is_said_is_heard(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(recording(np.concatenate([tone(16), np.zeros(20 * RATE, np.float32)])))
    result = found("automatic-speech-recognition", kind, Recorded(path, (1,)), tmp_path)
    assert [(one.text, one.place and one.place.seconds) for one in result.said] == [(SAID, (0, 15)), (SAID, (15, 30))]
    assert all(one.confidence and one.confidence > 0.8 for one in result.said)


def test_a_model_of_another_task_is_refused(tmp_path: Path, task_models: Saved) -> None:
    words = task_models("Bert", "ForSequenceClassification", {"a": ["good"]})
    for task, folder in (("audio-classification", words), ("video-classification", words),
                         ("audio-classification", save(tmp_path / "ctc", "hubert ctc"))):  # fmt: skip
        with pytest.raises(ModelError, match=f"and not for {task}: give a model of the kind"):
            source.resolve(str(folder), TASKS[task].task)
