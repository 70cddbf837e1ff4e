"""Which models a library works with, and vectors of texts by those that it is searched by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest, ModelError, NotFound
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL
from quarry.search.queries import arguments
from quarry.search.types import Vectors

MAX_TEXTS = 2_048


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that a library works with.

    Args:
        kind: `text`, `image`, `reader`, `cross-encoder`, `summarizer` or `generator`.
        space: the name of the vectors that it makes, "" where it makes none.
        identity, licence, dimension: as its card says, once it is loaded; "" and 0 where that says nothing.
        missing: why it can't be used, "" where it can or nobody has asked for it yet.
    """

    kind: str
    name: str
    space: str = ""
    identity: str = ""
    licence: str = ""
    dimension: int = 0
    is_loaded: bool = False
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors of texts.

    Args:
        vectors: (n, d) unit vectors.
        model: that made them.
        tokens: of all texts together.
    """

    vectors: Vectors
    model: str
    tokens: int


def models(library: OpenLibrary) -> list[ModelState]:
    """Return the models that a library works with: those of its vectors, then those that look at hits."""
    searcher = library.searcher
    found, spaces = [], library.catalog().spaces()
    for space in spaces:
        try:
            encoder = searcher.encoder(space.name)
        except ModelError as error:
            found.append(ModelState(space.medium, space.model, space.name, missing=str(error)))
        else:
            card, made = encoder.card, (space.name, encoder.identity)
            found.append(ModelState(space.medium, card.name, *made, card.licence, encoder.dimension, True))
    named = library.settings.models
    for kind, name in (
        ("text", named.text_model or DEFAULT_TEXT_MODEL),
        ("image", named.image_model or DEFAULT_IMAGE_MODEL),
    ):
        if all(space.medium != kind for space in spaces):  # what will be used when there is something to embed
            found.append(ModelState(kind, name))
    return [*found, *(_of_hits(kind, name, loaded) for kind, name, loaded in searcher.models.listed())]


def _of_hits(kind: str, name: str, loaded: object | None) -> ModelState:
    card = getattr(loaded, "card", None)
    known = {"identity": card.identity, "licence": card.licence} if card is not None else {}
    return ModelState(kind, name, is_loaded=loaded is not None, **known)


def embed(
    library: OpenLibrary, texts: Sequence[str] | str, *, model: str | None = None, as_queries: bool = False
) -> Embeddings:
    """Return vectors of texts by a text model of the library.

    Args:
        model: its name, or that of its space; the default is the library's first.
        as_queries: embed them as what is looked for, which some models do otherwise than what is found.

    Raises:
        NotFound: the library has no text model of that name.
        InvalidRequest: there are too many, or one is empty or longer than the model takes: nothing is cut.
        ModelError: it can't be used.
    """
    texts = arguments.texts(texts, "input")
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise InvalidRequest(f"input has {len(texts):,} texts; it can have 1 to {MAX_TEXTS:,}.")
    encoder = _encoder(library, model)
    tokens = 0
    for position, text in enumerate(texts):
        if not text.strip():
            raise InvalidRequest(f"input[{position}] is empty.")
        count = len(encoder.token_offsets(text))
        if count > encoder.max_tokens:
            raise InvalidRequest(
                f"input[{position}] has {count:,} tokens; {encoder.card.name} takes {encoder.max_tokens:,}."
            )
        tokens += count
    vectors = encoder.encode_queries(texts) if as_queries else encoder.encode_documents(texts)
    return Embeddings(vectors, encoder.card.name, tokens)


def _encoder(library: OpenLibrary, model: str | None) -> TextEncoder:
    if model is None:
        return library.searcher.encoder("text")
    encoders = library.searcher.encoders("text")
    for name, encoder in encoders.items():
        if arguments.text(model, "model") in (name, encoder.card.name):
            return encoder
    names = ", ".join(encoder.card.name for encoder in encoders.values())
    raise NotFound(f"This library has no text model {model!r}; it has {names}.")
