"""Loading: the name of a model -> a live one, prepared first where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarry.search.models.contracts import CrossEncoder, ImageEncoder, Reader, TextEncoder, WritingModel
from quarry.search.models.kinds import CROSS_ENCODER, IMAGE, READER, TEXT, WRITING, Kind
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_READER, DEFAULT_TEXT_MODEL
from quarry.search.models.prepared import AnyCard, Prepared, as_it_is, ready

Tell = Callable[[str], None]


def load_text_encoder(
    name: str = DEFAULT_TEXT_MODEL,
    *,
    prepare: bool = False,
    fetch: bool = True,
    progress: Tell | None = None,
    threads: int | None = None,
) -> TextEncoder:
    """Load the encoder of the text model called `name`.

    Args:
        name: the embedded model, a folder of a sentence-transformers model, or a hub name.
        prepare: export the model first where that was not done yet (seconds to minutes, needs torch).
        fetch: with `prepare`, fetch it from the hub where it is not on this machine.
        progress: is told in words what the export is doing.
        threads: how many texts are encoded at once; as many as there are cores where None.

    Raises:
        ModelMissing: no such model, or it is not prepared and `prepare` is not set.
        ModelDamaged: its files are not what they should be.
    """
    return TEXT.serve(_ready(TEXT, name, prepare, fetch, progress), threads=threads)


def load_image_encoder(
    name: str = DEFAULT_IMAGE_MODEL,
    *,
    prepare: bool = False,
    fetch: bool = True,
    progress: Tell | None = None,
    threads: int | None = None,
    text_encoder: TextEncoder | None = None,
) -> ImageEncoder:
    """Load the encoder of the image model called `name`; either of its towers follows when it is first used.

    Args:
        name: the embedded model, a folder that open_clip saved, `hf-hub:org/name`, or one of open_clip's
            architectures with its weights, such as `ViT-B-32/laion2b_s34b_b79k`.
        prepare, fetch, progress, threads: as `load_text_encoder`.
        text_encoder: a loaded one, to be shared where the model's text tower is that very text model.

    Raises:
        ModelMissing, ModelDamaged: as `load_text_encoder`.
    """
    prepared = _ready(IMAGE, name, prepare, fetch, progress)
    return IMAGE.serve(prepared, threads=threads, text_encoder=text_encoder)


def load_reader(
    name: str = DEFAULT_READER,
    *,
    prepare: bool = False,
    fetch: bool = True,
    progress: Tell | None = None,
    threads: int | None = None,
) -> Reader:
    """Load the reader called `name`: the embedded one, a folder of a transformers model for question answering, or one
    on the hub. Args and errors are those of `load_text_encoder`.
    """
    return READER.serve(_ready(READER, name, prepare, fetch, progress), threads=threads)


def load_cross_encoder(
    name: str,
    *,
    prepare: bool = False,
    fetch: bool = True,
    progress: Tell | None = None,
    threads: int | None = None,
) -> CrossEncoder:
    """Load the cross-encoder called `name`, a folder of a sentence-transformers CrossEncoder or a hub name.

    Args and errors are those of `load_text_encoder`.
    """
    return CROSS_ENCODER.serve(_ready(CROSS_ENCODER, name, prepare, fetch, progress), threads=threads)


def load_writer(name: str, *, prepare: bool = False, fetch: bool = True, progress: Tell | None = None) -> WritingModel:
    """Load the model that writes called `name`, a folder of a transformers model or a hub name; fetched by `prepare`.

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelError: it is a model of another kind, which can't write.
        ModelDamaged: its files are not those of a transformers model, or lack safetensors weights.
    """
    return WRITING.serve(_ready(WRITING, name, prepare, fetch, progress))


def _ready(kind: Kind[AnyCard, Any], name: str, prepare: bool, fetch: bool, progress: Tell | None) -> Prepared[AnyCard]:
    if prepare:
        from quarry.search.models import preparation

        return preparation.prepare(kind, name, progress, fetch=fetch)
    card = kind.find(name)
    return ready(card) if kind.exported else as_it_is(card)
