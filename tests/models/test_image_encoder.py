from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.search.errors import ModelDamaged, ModelError, ModelMissing
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.models.files import file_sha256
from quarry.search.models.image import cleaning
from quarry.search.models.image import export as image_export
from quarry.search.models.image import original as image_originals
from quarry.search.models.image import parity as image_parity
from quarry.search.models.image import source as image_sources
from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.original import ImageOriginal
from quarry.search.models.image.serving import OnnxImageEncoder, TorchImageEncoder
from quarry.search.models.image.source import resolve
from quarry.search.models.kinds import IMAGE
from quarry.search.models.loading import load_image_encoder, load_text_encoder
from quarry.search.models.preparation import prepare
from quarry.search.models.prepared import PROJECTION, TEXTUAL, TOKENIZER, VISUAL, Prepared, prepared
from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.models.text.parity import EXACT, Parity
from quarry.search.types import Pixels, Preprocessing, Vectors
from tests.image_models import WEIGHTS, save

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch, timm and transformers

TEXTS = ["a photo of a dog", "two red balls", "Ünïcödé &amp; 42", "", "여름 바다", "long " * 100]


def quiet(_: str) -> None:
    """Stand in for progress."""


def reference(folder: Path) -> tuple[Vectors, Vectors]:
    """Return what open_clip itself makes of the bank's pictures and texts."""
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with torch.no_grad():
        pictures = [
            model.encode_image(transform(image)[None], normalize=True)[0].numpy() for image in image_parity.pictures()
        ]
        texts = model.encode_text(tokenizer(image_parity.texts()), normalize=True).numpy()
    return np.asarray(pictures), texts


def compare(encoder: OnnxImageEncoder | TorchImageEncoder, folder: Path) -> None:
    """Check an encoder against open_clip from raw pictures and raw strings."""
    pictures, texts = reference(folder)
    pixels = image_parity.fitted(encoder.card, image_parity.pictures())
    assert Parity.of(encoder.encode_pictures(pixels), pictures).least >= EXACT
    assert Parity.of(encoder.encode_texts(image_parity.texts()), texts).least >= EXACT
    # The test could not tell models apart whose vectors all point the same way.
    assert (pictures @ pictures.T).min() < 0.9
    assert (texts @ texts.T).min() < 0.9


@pytest.mark.parametrize("kind", ["resnet", "timm-cnn", "timm-vit-hugging-face", "oblong"])
def test_an_exported_model_equals_open_clip_from_raw_pictures_and_strings(kind: str, tmp_path: Path) -> None:
    folder = save(tmp_path, kind)
    made = image_export.export(str(folder), tmp_path / "made", quiet)
    assert made.precision == "float32", made.notice
    assert made.parity["min"] >= EXACT
    assert set(made.files) == {VISUAL, TEXTUAL, TOKENIZER}
    assert made.card.scripts == ("Latin",)
    compare(OnnxImageEncoder(made), folder)


def test_a_model_whose_tokens_can_not_be_matched_is_left_to_torch(tmp_path: Path) -> None:
    folder = save(tmp_path, "clips")
    made = image_export.export(str(folder), tmp_path / "made", quiet)
    assert made.precision == "torch"
    assert "tokenizer" in made.notice
    assert [path.name for path in made.folder.iterdir()] == ["card.json"]
    encoder = TorchImageEncoder(made)
    compare(encoder, folder)
    with pytest.raises(ModelError, match="uint8"):
        encoder.encode_pictures([np.zeros((32, 32, 3), np.float32)])  # type: ignore[list-item]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("small"), "vit")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUARRY_CACHE", str(cache))
    return cache / "models"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no hub."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


@pytest.fixture
def ready(small: Path, cached: Path) -> Prepared[ImageCard]:
    """The small model, prepared once for all tests, by a process of its own."""
    return prepare(IMAGE, str(small))


@pytest.fixture
def encoder(ready: Prepared[ImageCard]) -> OnnxImageEncoder:
    return OnnxImageEncoder(ready, threads=2)


@pytest.fixture
def copied(ready: Prepared[ImageCard], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The prepared small model in a cache of its own, to be damaged."""
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    return Path(shutil.copytree(ready.folder, tmp_path / "models" / ready.folder.name))


def pixels(card: ImageCard) -> list[Pixels]:
    return image_parity.fitted(card, image_parity.pictures())


def test_a_prepared_model_equals_open_clip(encoder: OnnxImageEncoder, small: Path) -> None:
    compare(encoder, small)


def test_preparing_what_is_prepared_does_nothing(ready: Prepared[ImageCard], small: Path) -> None:
    said: list[str] = []
    assert prepare(IMAGE, str(small), said.append) == ready
    assert prepare(IMAGE, f"local-dir:{small}").folder == ready.folder
    assert said == []
    assert ready.folder.name == ready.card.identity
    assert {"torch", "open_clip_torch", "onnxruntime"} <= set(ready.versions)


def test_a_vector_does_not_depend_on_its_company(encoder: OnnxImageEncoder, ready: Prepared[ImageCard]) -> None:
    pictures = pixels(encoder.card)
    together = encoder.encode_pictures(pictures)
    np.testing.assert_array_equal(together, encoder.encode_pictures(pictures[::-1])[::-1])
    np.testing.assert_array_equal(together, np.concatenate([encoder.encode_pictures([one]) for one in pictures]))
    np.testing.assert_array_equal(together, OnnxImageEncoder(ready, threads=1).encode_pictures(pictures))
    texts = encoder.encode_texts(TEXTS)
    np.testing.assert_array_equal(texts, np.concatenate([encoder.encode_texts([text]) for text in TEXTS]))
    for vectors in (together, texts):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_and_surrogates(encoder: OnnxImageEncoder) -> None:
    assert encoder.as_text_query(encoder.encode_texts(["a"])[0], "") is None
    assert encoder.encode_pictures([]).shape == encoder.encode_texts([]).shape == (0, encoder.dimension)
    np.testing.assert_array_equal(encoder.encode_texts(["a \ud800 b"]), encoder.encode_texts(["a ? b"]))


@pytest.mark.parametrize("shape", [(32, 32), (31, 32, 3), (1, 32, 32, 3), (32, 32, 4)])
def test_pixels_of_another_shape_are_refused(encoder: OnnxImageEncoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="fit pictures"):
        encoder.encode_pictures([np.zeros(shape, np.uint8)])


def test_either_tower_is_loaded_by_itself(copied: Path, small: Path) -> None:
    (copied / VISUAL).rename(copied / "away")
    assert load_image_encoder(str(small)).encode_texts(TEXTS).shape == (len(TEXTS), 24)
    (copied / "away").rename(copied / VISUAL)
    (copied / TEXTUAL).unlink()
    (copied / TOKENIZER).unlink()
    encoder = load_image_encoder(str(small))
    assert encoder.encode_pictures(pixels(encoder.card)).shape == (10, 24)


@pytest.mark.fault("37")
@pytest.mark.parametrize("part", [VISUAL, TEXTUAL, TOKENIZER])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damaged_files_are_refused(copied: Path, small: Path, part: str, damage: str) -> None:
    content = bytearray((copied / part).read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        (copied / part).unlink()
    else:
        (copied / part).write_bytes(content if damage == "flip" else content[: len(content) // 2])
    encoder = load_image_encoder(str(small))
    with pytest.raises(ModelDamaged, match=r"quarry models --prepare --image-model"):
        encoder.encode_pictures(pixels(encoder.card)) if part == VISUAL else encoder.encode_texts(["a"])


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
def test_an_unusable_vector_is_an_error(ready: Prepared[ImageCard], tmp_path: Path, value: float) -> None:
    import onnx
    from onnx import TensorProto, helper

    constant = helper.make_tensor("v", TensorProto.FLOAT, [1, 24], [value] * 24)
    shutil.copy(ready.folder / TOKENIZER, tmp_path / TOKENIZER)
    for part, takes in ((VISUAL, ("pixels", TensorProto.UINT8)), (TEXTUAL, ("input_ids", TensorProto.INT64))):
        graph = helper.make_graph(
            [helper.make_node("Constant", [], ["vectors"], value=constant)],
            "broken",
            [helper.make_tensor_value_info(*takes, None)],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, [1, 24])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.save(model, tmp_path / part)
    hashes = {part: file_sha256(tmp_path / part) for part in (VISUAL, TEXTUAL, TOKENIZER)}
    broken = OnnxImageEncoder(replace(ready, folder=tmp_path, files=hashes), threads=2)
    with pytest.raises(ModelError, match="no usable vector for a picture"):
        broken.encode_pictures(pixels(broken.card))
    with pytest.raises(ModelError, match="no usable vector for a text"):
        broken.encode_texts(["one text"] * 5)


def test_serving_imports_nothing_heavy(ready: Prepared[ImageCard], small: Path) -> None:
    code = (
        "import sys, numpy; from quarry.search.models.loading import load_image_encoder\n"
        f"encoder = load_image_encoder({str(small)!r})\n"
        "print(encoder.encode_texts(['a photo of a dog']).shape, 'ftfy' in sys.modules)\n"
        "print(encoder.encode_pictures([numpy.zeros((32, 32, 3), numpy.uint8)]).shape)\n"
        "heavy = {'torch', 'torchvision', 'timm', 'open_clip', 'transformers', 'onnx', 'PIL', 'pydantic', 'pandas'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    lines = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines == ["(1, 24) False", "(1, 24)", ""]


@pytest.fixture(scope="module")
def towered(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared[ImageCard], np.ndarray]:
    """The image tower of the small model, with the embedded text model and a random matrix for texts."""
    original = image_originals.load(image_sources.read_card(image_sources.find(str(small))))
    matrix = np.random.default_rng(3).standard_normal((EMBEDDED.dimension, 24), np.float32)
    card = replace(
        original.card,
        tokenizer="",
        clean="",
        context_length=0,
        text_tower=EMBEDDED.name,
        text_identity=EMBEDDED.identity,
        scripts=EMBEDDED.scripts,
    )
    folder = tmp_path_factory.mktemp("towered") / "made"
    return image_export.export_original(ImageOriginal(card, original.model, projection=matrix), folder, quiet), matrix


def test_a_text_model_may_be_the_text_tower(towered: tuple[Prepared[ImageCard], np.ndarray]) -> None:
    made, matrix = towered
    assert made.precision == "float32", made.notice
    assert set(made.files) == {VISUAL, PROJECTION}
    shared = load_text_encoder()
    expected = shared.encode_queries(TEXTS) @ matrix
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = OnnxImageEncoder(made, text_encoder=shared).encode_texts(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    found = OnnxImageEncoder(made).as_text_query(vectors[0], EMBEDDED.identity)
    assert found is not None
    np.testing.assert_allclose(found, matrix @ vectors[0] / np.linalg.norm(matrix @ vectors[0]), atol=1e-6)
    assert OnnxImageEncoder(made).as_text_query(vectors[0], "another") is None
    # Another text encoder, that of a library embedded by another model, is of no use and not used.
    other = OnnxImageEncoder(made, text_encoder=FakeTextEncoder(EMBEDDED.dimension))
    np.testing.assert_array_equal(other.encode_texts(TEXTS), vectors)
    assert other.encode_texts([]).shape == (0, 24)
    changed = OnnxImageEncoder(replace(made, card=replace(made.card, text_identity="another")))
    with pytest.raises(ModelDamaged, match="made for another"):
        changed.encode_texts(["a"])


def test_cleaning_is_that_of_open_clip() -> None:
    from open_clip.tokenizer import get_clean_fn

    for kind in cleaning.CLEANERS:
        original = get_clean_fn(kind)
        for text in [*image_parity.texts(), *TEXTS, " a  b ", "a\tb", "~", "\x7f", "&lt"]:
            assert cleaning.clean(kind, text) == original(text), (kind, text)


CARD = ImageCard(
    name="a",
    dimension=8,
    preprocessing=Preprocessing(32, 32),
    family="vit/b 32",
    source="/somewhere",
    sha256="1",
    config_sha256="2",
    context_length=77,
    tokenizer="clip",
    clean="lower",
    scripts=("Latin",),
    licence="MIT",
)


@pytest.mark.fault("40")
@pytest.mark.parametrize(
    "change",
    [
        {"dimension": 9},
        {"preprocessing": Preprocessing(32, 32, "squash")},
        {"preprocessing": Preprocessing(32, 32, interpolation="bilinear")},
        {"preprocessing": Preprocessing(32, 32, fill=1)},
        {"sha256": "3"},
        {"config_sha256": "3"},
        {"mean": (0.5, 0.5, 0.5)},
        {"std": (0.5, 0.5, 0.5)},
        {"context_length": 76},
        {"tokenizer": "huggingface"},
        {"tokenizer_sha256": "3"},
        {"clean": "whitespace"},
        {"text_identity": "3"},
    ],
    ids=str,
)
def test_identity_changes_with_what_changes_vectors(change: dict[str, Any]) -> None:
    assert replace(CARD, **change).identity != CARD.identity


def test_a_card_is_the_same_wherever_the_model_lies() -> None:
    moved = replace(CARD, name="other", source="/elsewhere", scripts=(), licence="")
    assert moved.identity == CARD.identity == Path(CARD.identity).name
    assert CARD.identity.startswith("vit-b-32-32px-8-")
    assert ImageCard.from_json(json.loads(json.dumps(CARD.to_json()))) == CARD


def test_a_card_is_what_the_folder_holds(small: Path, cached: Path, tmp_path: Path) -> None:
    card = resolve(str(small))
    assert (card.dimension, card.preprocessing) == (24, Preprocessing(32, 32))
    assert (card.tokenizer, card.clean, card.context_length) == ("clip", "lower", 32)
    assert card.sha256 == file_sha256(small / WEIGHTS)
    assert resolve(str(small)) == card  # as remembered
    moved = Path(shutil.copytree(small, tmp_path / "moved"))
    assert resolve(str(moved)).identity == card.identity
    config = json.loads((moved / "open_clip_config.json").read_text())
    config["preprocess_cfg"] = {"mean": 0.5, "resize_mode": "squash"}
    (moved / "open_clip_config.json").write_text(json.dumps(config))
    assert resolve(str(moved)).mean == (0.5, 0.5, 0.5)
    assert resolve(str(moved)).identity != card.identity
    assert prepared(resolve(str(moved))) is None
    with pytest.raises(ModelMissing, match="quarry models --prepare --image-model"):
        load_image_encoder(str(moved))


def hub(cache: Path, repository: str, files: dict[str, Path]) -> None:
    """Lay files out as the hub's cache keeps a repository."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    revision = "0123456789abcdef0123456789abcdef01234567"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(revision)
    for name, path in files.items():
        (folder / "snapshots" / revision).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "snapshots" / revision / name)


def test_a_model_in_the_hub_cache_needs_no_hub(ready: Prepared[ImageCard], small: Path, offline: Path) -> None:
    with pytest.raises(ModelMissing, match="could not be fetched"):
        prepare(IMAGE, "hf-hub:some/model")
    hub(offline, "some/model", {name: small / name for name in ("open_clip_config.json", WEIGHTS)})
    assert prepare(IMAGE, "hf-hub:some/model").folder == ready.folder
    vectors = load_image_encoder("hf-hub:some/model").encode_texts(TEXTS)
    np.testing.assert_array_equal(vectors, OnnxImageEncoder(ready).encode_texts(TEXTS))


def test_a_pretrained_tag_is_written_down_when_it_is_fetched(small: Path, cached: Path, offline: Path) -> None:
    name = "ViT-B-16-quickgelu/metaclip_400m"
    with pytest.raises(ModelMissing, match=r"quarry models --prepare --image-model ViT-B-16-quickgelu"):
        resolve(name)
    with pytest.raises(ModelMissing, match="could not be fetched"):
        prepare(IMAGE, name)
    hub(offline, "timm/vit_base_patch16_clip_224.metaclip_400m", {WEIGHTS: small / WEIGHTS})
    command = [sys.executable, "-m", "quarry.search.models.exporting", "image", name]
    assert subprocess.run(command, env=os.environ, capture_output=True).returncode == 0
    card = resolve(name)
    assert (card.family, card.dimension) == ("vit-12x768-patch16", 512)
    assert card.mean == (0.48145466, 0.4578275, 0.40821073)
    assert image_sources.find(name).config["model_cfg"]["quick_gelu"] is True


def test_an_architecture_takes_a_file(small: Path, cached: Path, tmp_path: Path) -> None:
    card = resolve(f"ViT-B-32/{small / WEIGHTS}")
    assert (card.family, card.dimension, card.sha256) == ("vit-12x768-patch32", 512, file_sha256(small / WEIGHTS))
    with pytest.raises(ModelMissing, match="there is no file"):
        resolve(f"ViT-B-32/{tmp_path / WEIGHTS}")
    with pytest.raises(ModelDamaged, match="pickled"):
        resolve("ViT-B-32/weights.pt")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("ViT-B-33/openai", "no architecture 'ViT-B-33'"),
        ("ViT-B-32", "names no weights"),
        ("../ViT-B-32/openai", "no architecture"),
        ("local-dir:/no/such/folder", "is no folder"),
        ("/no/such/folder", "path of a folder"),
        ("hf-hub:../../etc", "hf-hub"),
        ("\0", "no architecture|names no weights"),
        ("x" * 5_000, "names no weights"),
    ],
)
def test_a_model_that_is_nowhere_is_missing(cached: Path, offline: Path, name: str, match: str) -> None:
    with pytest.raises(ModelMissing, match=match):
        prepare(IMAGE, name)


@pytest.mark.usefixtures("exported_here")
def test_a_tag_that_open_clip_does_not_know_is_missing(cached: Path, offline: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no weights 'none-such' for ViT-B-32; it has: .*laion2b_s34b_b79k"):
        prepare(IMAGE, "ViT-B-32/none-such")


def change_config(**text: Any) -> Callable[[Path], None]:
    """Return what changes the configuration of a saved model's text tower."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "open_clip_config.json").read_text())
        config["model_cfg"]["text_cfg"] |= text
        (folder / "open_clip_config.json").write_text(json.dumps(config))

    return change


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda folder: (folder / "open_clip_config.json").unlink(), "not an open_clip model"),
        (lambda folder: (folder / "open_clip_config.json").write_text("{"), "can't be read"),
        (lambda folder: (folder / "open_clip_config.json").write_text('{"model_cfg": {}}'), "no model of open_clip"),
        (
            lambda folder: (folder / "open_clip_config.json").write_text(
                '{"model_cfg": {"vision_cfg": {}, "text_cfg": {}}}'
            ),
            "embed_dim",
        ),
        (lambda folder: (folder / WEIGHTS).unlink(), f"holds no {WEIGHTS}"),
        (lambda folder: (folder / WEIGHTS).rename(folder / "open_clip_pytorch_model.bin"), "pickled"),
        (lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:5_000]), "can't load"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), "can't load"),
        (change_config(width=48), "can't load"),
        (change_config(no_such_option=1), "can't load"),
        (change_config(tokenizer_kwargs={"trust_remote_code": True}), "not allowed: trust_remote_code"),
    ],
    ids=[
        *("no configuration", "half a configuration", "empty configuration", "no dimension", "no weights", "pickled"),
        *("cut weights", "empty weights", "other weights", "unknown option", "code"),
    ],
)
@pytest.mark.usefixtures("exported_here")  # how an error comes back from a child is tried with what is missing
def test_a_damaged_folder_is_refused(
    small: Path, cached: Path, tmp_path: Path, damage: Callable[[Path], object], match: str
) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    damage(folder)
    with pytest.raises(ModelDamaged, match=match):
        prepare(IMAGE, str(folder))
    assert [path.name for path in cached.glob(".*")] == []


def test_a_tokenizer_or_text_tower_that_is_not_here_is_missing(
    small: Path, cached: Path, offline: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    change_config(hf_tokenizer_name="some/tokenizer")(folder)
    with pytest.raises(ModelMissing, match=r"tokenizer from some/tokenizer.*`hf download some/tokenizer`"):
        prepare(IMAGE, str(folder))
    change_config(hf_tokenizer_name="", hf_model_name="some/model")(folder)
    with pytest.raises(ModelMissing, match=r"text tower from some/model.*`hf download some/model`") as missing:
        prepare(IMAGE, str(folder))
    assert "models --prepare" not in str(missing.value)  # which fetches nothing for a folder


def test_the_command_prepares_and_shows_an_image_model(small: Path, ready: Prepared[ImageCard]) -> None:
    command = [sys.executable, "-m", "quarry.api.cli", "models", "--prepare", "--image-model", str(small)]
    shown = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True, env=os.environ).stdout
    body = json.loads(shown)
    assert set(body) == {"image"}
    assert body["image"]["identity"] == ready.card.identity
    assert body["image"]["prepared"]["parity"]["pictures_min"] >= EXACT
    assert body["image"]["scripts"] == ["Latin"]
    words = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    assert "32 x 32 pixels" in words
    assert "ready: float32" in words
