"""What the graphs of the embedded models are drawn with beside their weights, worked out once and kept with these.

    python -m quarry.indexer.training.drawing

- `channels.safetensors` of the text model and the reader: what the channels of each product's input hold over some
  texts, which quantisation goes by. No two kinds of CPU would find quite the same, and no two graphs would be alike.
- `concepts.safetensors` of the image model: what the backbone's classes are called, as unit vectors.

Says the hash of each graph, which stands in its card.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from quarry.search.models.graphs.bert import Bert, inputs, reader_graph, sentence_graph
from quarry.search.models.graphs.products import Float32
from quarry.search.models.image import embedded as image
from quarry.search.models.pair import embedded as reader
from quarry.search.models.pair.parity import bank
from quarry.search.models.pair.windows import PairTokenizer
from quarry.search.models.quantize import Channels, channels_of
from quarry.search.models.text import embedded as text
from quarry.search.models.text.parity import calibration


def text_channels() -> dict[str, Channels]:
    """Return what the text model's products take, over the texts for calibration."""
    folder = text.embedded_folder()
    tokenizer: Any = Tokenizer.from_buffer(text.serving_tokenizer(folder))
    tokenizer.enable_truncation(text.CARD.max_tokens)
    bert = text.weights(folder)
    samples = [np.asarray([tokenizer.encode(words).ids], np.int64) for words in calibration()]
    return _channels(bert, sentence_graph(bert, Float32()), samples)


def reader_channels() -> dict[str, Channels]:
    """Return what the reader's products take, over its bank."""
    folder = text.embedded_folder()
    pairs = PairTokenizer(Tokenizer.from_buffer(text.serving_tokenizer(folder)), reader.CARD.max_tokens)
    bert = reader.weights(folder)
    samples = [pairs.windows(question, passage)[0].ids[None] for question, passage in bank()]
    return _channels(bert, reader_graph(bert, Float32(), reader.SEPARATOR), samples)


def concepts() -> NDArray[np.float16]:
    """Return what the classes are called, (classes, d), as the original works it out."""
    found: NDArray[np.float16] = image.build().visual.concepts.numpy().astype(np.float16)
    return found


def _channels(bert: Bert, graph: bytes, samples: Sequence[NDArray[np.int64]]) -> dict[str, Channels]:
    from onnx import ModelProto

    return channels_of(ModelProto.FromString(graph), inputs(bert), samples)


def _save(channels: dict[str, Channels], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    peaks = {f"{name}.peak": found.peak for name, found in channels.items()}
    save_file({**peaks, **{f"{name}.mean": found.mean for name, found in channels.items()}}, path)


def main() -> None:
    """Write the three files."""
    _save(text_channels(), text.model_folder() / text.CHANNELS)
    _save(reader_channels(), reader.model_folder() / reader.CHANNELS)
    save_file({"concepts": concepts()}, image.model_folder() / image.CONCEPTS)
    for kind in (text, reader, image):
        for name, content in kind.parts().items():
            sys.stdout.write(f"{kind.CARD.name} {name} {hashlib.sha256(content).hexdigest()}\n")


if __name__ == "__main__":
    main()
