"""EfficientNet-Lite0 with this project's head as an ONNX graph, from its weights; see `search.models.image.embedded`.

EfficientNet (Tan and Le 2019) is a row of convolutions, each followed by a batch norm: at rest one factor and one
summand for each channel, which become a part of the convolution. The paddings are TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.graphs.graph import CONTRIB, Floats, Graph, float32

TUNED = 5  # the first stage of the backbone that has a tuned copy
CONCEPTS = 1.1  # weight of what a picture's likeliest classes are called
LIKELIEST = 10  # classes
BIAS = 0.4  # how far a picture that is near to typical captions moves back
SHARPNESS = 20.0  # of the soft maximum over these
ROOM = 1.25**0.5  # length of a picture's vector with its bias, before it is made 1
HEADS = 8  # of attention

_SIDE = 224
_EPSILON = 1e-3  # of the batch norms
_FLOAT = 1  # onnx.TensorProto.FLOAT
# Kernel, stride of the first block, and blocks, of each stage. Blocks of the first one do not widen what they take.
_STAGES = ((3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1))
_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution and its batch norm: their names in timm, and how it moves over a picture."""

    name: str
    norm: str
    kernel: int = 1
    stride: int = 1
    is_deep: bool = False  # each channel by itself
    is_active: bool = True  # what it gives is cut to 0..6


STEM = Convolution("conv_stem", "bn1", 3, 2)
TOP = Convolution("conv_head", "bn2")


def blocks(stage: int) -> Iterator[list[Convolution]]:
    """Yield the convolutions of each block of a stage."""
    kernel, first, count = _STAGES[stage]
    for number in range(count):
        place = f"blocks.{stage}.{number}"
        deep = Convolution(f"{place}.conv_dw", f"{place}.bn1", kernel, 1 if number else first, is_deep=True)
        if stage == 0:
            yield [deep, Convolution(f"{place}.conv_pw", f"{place}.bn2", is_active=False)]
            continue
        yield [
            Convolution(f"{place}.conv_pw", f"{place}.bn1"),
            Convolution(f"{place}.conv_dw", f"{place}.bn2", kernel, deep.stride, is_deep=True),
            Convolution(f"{place}.conv_pwl", f"{place}.bn3", is_active=False),
        ]


def names() -> Iterator[str]:
    """Yield timm's names of the backbone's tensors, in the order of its checkpoint."""
    inner = [part for stage in range(len(_STAGES)) for block in blocks(stage) for part in block]
    for part in (STEM, *inner, TOP):
        yield f"{part.name}.weight"
        yield from (f"{part.norm}.{kind}" for kind in _NORM)
    yield from ("classifier.weight", "classifier.bias")


def tuned(name: str) -> str:
    """Return what the tuned copy of a part of the backbone is called among the trained weights."""
    places = {TOP.name: len(_STAGES) - TUNED, TOP.norm: len(_STAGES) - TUNED + 1}
    if name in places:
        return f"visual.tuned.{places[name]}"
    _, stage, rest = name.split(".", 2)
    return f"visual.tuned.{int(stage) - TUNED}.{rest}"


def image_graph(backbone: Weights, trained: Weights, concepts: NDArray[Any]) -> bytes:
    """Return the image tower's graph: `pixels` (1, 224, 224, 3) uint8 -> `vectors` (1, d + 2) of length 1.

    Args:
        backbone: by timm's names.
        trained: this project's.
        concepts: (classes, d), what the backbone's classes are called, as unit vectors.
    """
    tower = _Tower(Graph("image"), backbone, trained)
    graph = tower.graph
    values = tower.convolved(_pictures(graph), STEM, "stem")
    for stage in range(TUNED):
        values = tower.stage(values, stage)
    joined = _joined(tower, _look(tower, values), _conceive(tower, values, concepts))
    _biased(tower, joined)
    graph.gives("vectors", (1, concepts.shape[1] + 2))
    return graph.serialized()


@dataclass(frozen=True, slots=True)
class _Tower:
    graph: Graph
    backbone: Weights
    trained: Weights

    def stage(self, source: str, stage: int, is_tuned: bool = False) -> str:
        """Add the blocks of a stage, the backbone's or the tuned ones."""
        for number, block in enumerate(blocks(stage)):
            name = f"{'tuned' if is_tuned else 'stage'}.{stage}.{number}"
            values = source
            for place, part in enumerate(block):
                values = self.convolved(values, part, f"{name}.{place}", is_tuned)
            source = self.graph.add("Add", [values, source], f"{name}.sum") if number else values
        return source

    def convolved(self, source: str, part: Convolution, name: str, is_tuned: bool = False) -> str:
        """Add a convolution that holds its batch norm, and what follows it."""
        kernel, bias = self._folded(part, is_tuned)
        inputs = [source, self.graph.constant(f"{name}.kernel", kernel), self.graph.constant(f"{name}.bias", bias)]
        around = part.kernel - part.stride  # in all: what it takes is as wide as it gives, times the stride
        before, after = around // 2, around - around // 2
        options: dict[str, Any] = {
            "kernel_shape": [part.kernel] * 2,
            "strides": [part.stride] * 2,
            "pads": [before, before, after, after],
            "group": len(kernel) if part.is_deep else 1,
        }
        if not part.is_active:
            return self.graph.add("Conv", inputs, name, **options)
        options |= {"activation": "Clip", "activation_params": [0.0, 6.0]}
        return self.graph.add("FusedConv", inputs, name, domain=CONTRIB, **options)

    def _folded(self, part: Convolution, is_tuned: bool) -> tuple[Floats, Floats]:
        weights, rename = (self.trained, tuned) if is_tuned else (self.backbone, str)
        kernel, scale, shift = (
            np.float64(weights[name])
            for name in (
                f"{rename(part.name)}.weight",
                f"{rename(part.norm)}.weight",
                f"{rename(part.norm)}.bias",
            )
        )
        mean, variance = (np.float64(self.backbone[f"{part.norm}.running_{kind}"]) for kind in ("mean", "var"))
        factors = scale / np.sqrt(variance + _EPSILON)
        return float32(kernel * factors[:, None, None, None]), float32(shift - mean * factors)

    def linear(self, source: str, weights: Weights, place: str, name: str) -> str:
        """Add a linear layer, with its bias where it has one."""
        weight = self.graph.constant(f"{name}.weights", float32(weights[f"{place}.weight"]).T)
        product = self.graph.add("MatMul", [source, weight], f"{name}.product")
        if f"{place}.bias" not in weights:
            return product
        bias = self.graph.constant(f"{name}.bias", float32(weights[f"{place}.bias"]))
        return self.graph.add("Add", [product, bias], name)

    def top(self, source: str, name: str, is_tuned: bool = False) -> tuple[str, str]:
        """Add the last two stages and the last convolution; return what they give, (1, 320, 7, 7) and (1, 1280)."""
        for stage in range(TUNED, len(_STAGES)):
            source = self.stage(source, stage, is_tuned)
        features = self.convolved(source, TOP, f"{name}.features", is_tuned)
        axes = self.graph.constant("over", np.array([2, 3]))
        return source, self.graph.add("ReduceMean", [features, axes], f"{name}.mean", keepdims=0)

    def scaled(self, source: str, factor: float, name: str) -> str:
        """Add a product with a number."""
        return self.graph.add("Mul", [source, self.graph.constant(f"{name}.factor", np.float32(factor))], name)

    def unit(self, source: str, name: str) -> str:
        """Add what makes each row's length 1."""
        return self.graph.add("LpNormalization", [source], name, axis=1, p=2)

    def reshaped(self, source: str, shape: Sequence[int], name: str) -> str:
        """Add another view of the same numbers."""
        return self.graph.add("Reshape", [source, self.graph.constant(f"{name}.shape", np.array(shape))], name)


def _pictures(graph: Graph) -> str:
    """Add what brings pixels to -1..1, (1, 3, 224, 224)."""
    pixels = graph.takes("pixels", np.uint8, (1, _SIDE, _SIDE, 3))
    turned = graph.add("Transpose", [pixels], "pixels.turned", perm=[0, 3, 1, 2])
    floats = graph.add("Cast", [turned], "pixels.floats", to=_FLOAT)
    scaled = graph.add("Mul", [floats, graph.constant("pixels.factor", np.float32(2 / 255))], "pixels.scaled")
    return graph.add("Sub", [scaled, graph.constant("pixels.middle", np.float32(1))], "pixels.even")


def _look(tower: _Tower, shared: str) -> str:
    """Add the trained branch: attention over the last stage's 49 cells, and a head over what it sees."""
    graph, trained = tower.graph, tower.trained
    stage, mean = tower.top(shared, "tuned", is_tuned=True)
    channels = trained["visual.head.position"].shape[1]
    rows = graph.add(
        "Transpose", [tower.reshaped(stage, (1, channels, -1), "cells.flat")], "cells.rows", perm=[0, 2, 1]
    )
    places = graph.constant("cells.places", float32(trained["visual.head.position"]))
    cells = graph.add("Add", [tower.scaled(rows, 1 / 4, "cells.scaled"), places], "cells")
    query = tower.linear(mean, trained, "visual.head.query", "query")
    inputs = [tower.reshaped(query, (1, 1, -1), "queries")]
    inputs += [tower.linear(cells, trained, f"visual.head.{part}", f"{part}s") for part in ("key", "value")]
    looked = graph.add("MultiHeadAttention", inputs, "looked", domain=CONTRIB, num_heads=HEADS)
    both = graph.add("Concat", [mean, tower.reshaped(looked, (1, -1), "looked.flat")], "both", axis=1)
    norm = [
        graph.constant(f"both.{kind}", float32(trained[f"visual.head.mlp.0.{kind}"])) for kind in ("weight", "bias")
    ]
    values = graph.add("LayerNormalization", [both, *norm], "both.even", axis=-1, epsilon=1e-5)
    narrow = tower.linear(values, trained, "visual.head.mlp.2", "narrow")
    active = graph.add("Gelu", [tower.linear(narrow, trained, "visual.head.mlp.3", "wide")], "active")
    deep = tower.linear(active, trained, "visual.head.mlp.6", "deep")
    total = graph.add("Add", [deep, tower.linear(mean, trained, "visual.head.linear", "straight")], "head")
    return tower.unit(total, "head.unit")


def _conceive(tower: _Tower, shared: str, concepts: NDArray[Any]) -> str:
    """Add the backbone's own branch: the mean of its likeliest classes, weighed by their probabilities."""
    graph = tower.graph
    _, mean = tower.top(shared, "own")
    logits = tower.linear(mean, tower.backbone, "classifier", "logits")
    likely = graph.add("Softmax", [logits], "likely", axis=1)
    count = graph.constant("likeliest.count", np.array([LIKELIEST]))
    weights = graph.add("TopK", [likely, count], "likeliest", "likeliest.classes", axis=1)
    table = graph.constant("concepts", float32(concepts))
    named = graph.add("Gather", [table, "likeliest.classes"], "named", axis=0)
    product = graph.add("MatMul", [tower.reshaped(weights, (1, 1, -1), "likeliest.row"), named], "conceived.row")
    return tower.scaled(tower.reshaped(product, (1, -1), "conceived.flat"), CONCEPTS, "conceived")


def _joined(tower: _Tower, looked: str, conceived: str) -> str:
    """Add the unit vector of what both branches say."""
    return tower.unit(tower.graph.add("Add", [looked, conceived], "joined"), "joined.unit")


def _biased(tower: _Tower, vector: str) -> None:
    """Add `vectors`: the vector, the bias against hubs, and what makes the length 1."""
    graph = tower.graph
    bank = graph.constant("bank", float32(tower.trained["visual.bank"]).T)
    near = tower.scaled(graph.add("MatMul", [vector, bank], "near"), SHARPNESS, "near.sharp")
    axis = graph.constant("near.axis", np.array([1]))
    nearest = graph.add("ReduceLogSumExp", [near, axis], "nearest", keepdims=1)
    least, most, nothing = (
        graph.constant(name, np.float32(value)) for name, value in (("least", -0.5), ("most", 0.5), ("nothing", 0))
    )
    bias = graph.add("Clip", [tower.scaled(nearest, -BIAS / SHARPNESS, "moved"), least, most], "bias")
    room = graph.constant("room", np.float32(ROOM**2 - 1))
    left = graph.add("Sub", [room, graph.add("Mul", [bias, bias], "bias.square")], "rest.square")
    rest = graph.add("Sqrt", [graph.add("Max", [left, nothing], "rest.positive")], "rest")
    tower.scaled(graph.add("Concat", [vector, bias, rest], "vectors.long", axis=1), 1 / ROOM, "vectors")
