"""Kinds: the table of what there is for each kind of model. A new kind is a folder with the same files, and a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from quarry.search.models.contracts import CrossEncoder, ImageEncoder, Reader, TextEncoder, WritingModel
from quarry.search.models.image import export as image_export
from quarry.search.models.image import original as image_original
from quarry.search.models.image import parity as image_parity
from quarry.search.models.image import serving as image_serving
from quarry.search.models.image import source as image_source
from quarry.search.models.image.card import ImageCard
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_READER, DEFAULT_TEXT_MODEL
from quarry.search.models.pair import export as pair_export
from quarry.search.models.pair import original as pair_original
from quarry.search.models.pair import parity as pair_parity
from quarry.search.models.pair import serving as pair_serving
from quarry.search.models.pair import source as pair_source
from quarry.search.models.pair.card import PairCard, PairTask
from quarry.search.models.prepared import AnyCard, Prepared
from quarry.search.models.text import export as text_export
from quarry.search.models.text import original as text_original
from quarry.search.models.text import parity as text_parity
from quarry.search.models.text import serving as text_serving
from quarry.search.models.text import source as text_source
from quarry.search.models.text.card import TextCard
from quarry.search.models.writing import original as writing_original
from quarry.search.models.writing import serving as writing_serving
from quarry.search.models.writing import source as writing_source
from quarry.search.models.writing.card import WritingCard

Live = TypeVar("Live")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kind(Generic[AnyCard, Live]):
    """How models of one kind are found, loaded, exported, checked and served.

    Args:
        name: it is called in the table.
        what: one of them is called.
        default: the name of the embedded one, "" where there is none.
        seconds: preparing that takes, about, on two cores.
        find: the card of a name; raises `ModelMissing`, `ModelDamaged`.
        is_on_hub: whether a name that is not here might be fetched.
        fetch: fetches it from the hub into the hub's cache.
        load: the original of a card, in torch.
        serve: a prepared model -> a live one.
        export: writes a model's prepared form into a new folder; None where originals serve.
        check: figures of how near a live model is to its original; None where it is the original.
        needs: the name of a model of text that must be prepared before the one of this name, "" for none.
    """

    name: str
    what: str
    default: str
    seconds: int
    find: Callable[[str], AnyCard]
    is_on_hub: Callable[[str], bool]
    fetch: Callable[[str], None]
    load: Callable[[AnyCard], Any]
    serve: Callable[..., Live]
    export: Callable[[str, Path, Say], Prepared[AnyCard]] | None = None
    check: Callable[[Any, Any], Mapping[str, float]] | None = None
    needs: Callable[[str], str] = lambda name: ""


def _pair(task: PairTask, default: str, serve: Callable[..., Live]) -> Kind[PairCard, Live]:
    return Kind(
        task,
        task,
        default,
        3,
        find=partial(pair_source.resolve, task=task),
        is_on_hub=pair_source.is_on_hub,
        fetch=pair_source.fetch,
        load=pair_original.load,
        serve=serve,
        export=partial(pair_export.export, task=task),
        check=pair_parity.check,
    )


TEXT: Kind[TextCard, TextEncoder] = Kind(
    "text",
    "text model",
    DEFAULT_TEXT_MODEL,
    3,
    find=text_source.resolve,
    is_on_hub=text_source.is_on_hub,
    fetch=text_source.fetch,
    load=text_original.load,
    serve=text_serving.serve,
    export=text_export.export,
    check=text_parity.check,
)
IMAGE: Kind[ImageCard, ImageEncoder] = Kind(
    "image",
    "image model",
    DEFAULT_IMAGE_MODEL,
    3,
    find=image_source.resolve,
    is_on_hub=image_source.is_on_hub,
    fetch=image_source.fetch,
    load=image_original.load,
    serve=image_serving.serve,
    export=image_export.export,
    check=image_parity.check,
    needs=lambda name: image_source.resolve(name).text_tower if name == DEFAULT_IMAGE_MODEL else "",
)
READER: Kind[PairCard, Reader] = _pair("reader", DEFAULT_READER, pair_serving.OnnxReader)
CROSS_ENCODER: Kind[PairCard, CrossEncoder] = _pair("cross-encoder", "", pair_serving.OnnxCrossEncoder)
WRITING: Kind[WritingCard, WritingModel] = Kind(
    "writing",
    "writing model",
    "",
    0,
    find=writing_source.resolve,
    is_on_hub=writing_source.is_on_hub,
    fetch=writing_source.fetch,
    load=writing_original.load,
    serve=writing_serving.serve,
)

KINDS: Mapping[str, Kind[Any, Any]] = {kind.name: kind for kind in (TEXT, IMAGE, READER, CROSS_ENCODER, WRITING)}
