"""Live models: what a library embeds, reads and writes with. Handed in, or opened by their names when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar, Unpack

from quarry.search.models.query_vectors import QueryVectors
from quarry.search.requests import deadline

if TYPE_CHECKING:
    from quarry.search.models.contracts import CrossEncoder, ImageEncoder, Reader, TextEncoder, WritingModel

Model = TypeVar("Model")


class How(TypedDict, total=False):
    """How a model is opened.

    Args:
        prepare: export it first where that was not done yet (seconds to minutes, needs torch).
        fetch: with `prepare`, fetch it from the hub where it is not on this machine.
        progress: is told in words what takes long.
    """

    prepare: bool
    fetch: bool
    progress: Callable[[str], None] | None


class LiveModels(Protocol):
    """Gives models by their names; who asks keeps what it was given. Threads may share one.

    All raise `ModelMissing` where there is no such model, `ModelDamaged` where its files are not what they should be.
    """

    @property
    def names(self) -> Mapping[str, str]:
        """What is to be named where nobody else does, by what `Settings` calls it (`text_model`, ...)."""
        ...

    def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
        """Return the encoder of a text model."""
        ...

    def image(self, name: str, *, text_encoder: TextEncoder | None = None, **how: Unpack[How]) -> ImageEncoder:
        """Return the encoder of an image model, which may share `text_encoder`."""
        ...

    def reader(self, name: str, **how: Unpack[How]) -> Reader:
        """Return a reader."""
        ...

    def cross_encoder(self, name: str, **how: Unpack[How]) -> CrossEncoder:
        """Return a cross-encoder."""
        ...

    def writer(self, name: str, **how: Unpack[How]) -> WritingModel:
        """Return a model that writes."""
        ...


class NamedModels:
    """`LiveModels` of this machine: embedded ones, folders, and those in the hub's cache (`search.models.loading`)."""

    @property
    def names(self) -> Mapping[str, str]:
        """Nothing: the defaults serve."""
        return {}

    def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
        """Load the encoder of a text model."""
        from quarry.search.models.loading import load_text_encoder

        return load_text_encoder(name, **how)

    def image(self, name: str, *, text_encoder: TextEncoder | None = None, **how: Unpack[How]) -> ImageEncoder:
        """Load the encoder of an image model."""
        from quarry.search.models.loading import load_image_encoder

        return load_image_encoder(name, text_encoder=text_encoder, **how)

    def reader(self, name: str, **how: Unpack[How]) -> Reader:
        """Load a reader."""
        from quarry.search.models.loading import load_reader

        return load_reader(name, **how)

    def cross_encoder(self, name: str, **how: Unpack[How]) -> CrossEncoder:
        """Load a cross-encoder."""
        from quarry.search.models.loading import load_cross_encoder

        return load_cross_encoder(name, **how)

    def writer(self, name: str, **how: Unpack[How]) -> WritingModel:
        """Load a model that writes."""
        from quarry.search.models.loading import load_writer

        return load_writer(name, **how)


class SharedModels(NamedModels):
    """`LiveModels` of this machine, each loaded once for libraries searched together, or generations of a replica.

    A query that is looked for in several at once is encoded once, too.
    """

    def __init__(self) -> None:
        self.lately = QueryVectors()
        self._lock = threading.Lock()
        self._loading: dict[tuple[str, str], threading.Lock] = {}
        self._loaded: dict[tuple[str, str], Any] = {}

    def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
        """Return the encoder of a text model."""
        return self._once("text", name, lambda: NamedModels.text(self, name, **how))

    def image(self, name: str, *, text_encoder: TextEncoder | None = None, **how: Unpack[How]) -> ImageEncoder:
        """Return the encoder of an image model, which shares the text encoder of who asked first."""
        return self._once("image", name, lambda: NamedModels.image(self, name, text_encoder=text_encoder, **how))

    def reader(self, name: str, **how: Unpack[How]) -> Reader:
        """Return a reader."""
        return self._once("reader", name, lambda: NamedModels.reader(self, name, **how))

    def cross_encoder(self, name: str, **how: Unpack[How]) -> CrossEncoder:
        """Return a cross-encoder."""
        return self._once("cross-encoder", name, lambda: NamedModels.cross_encoder(self, name, **how))

    def writer(self, name: str, **how: Unpack[How]) -> WritingModel:
        """Return a model that writes."""
        return self._once("writer", name, lambda: NamedModels.writer(self, name, **how))

    def _once(self, kind: str, name: str, load: Callable[[], Model]) -> Model:
        with self._lock:
            loading = self._loading.setdefault((kind, name), threading.Lock())
        with deadline.holding(loading), deadline.shielded():
            if (kind, name) not in self._loaded:
                self._loaded[kind, name] = load()
            found: Model = self._loaded[kind, name]
            return found


class GivenModels(NamedModels):
    """`LiveModels` that were made elsewhere: each serves under its own name, any other as `NamedModels` has it.

    `Library(models=GivenModels(text=encoder))` embeds by `encoder`, as if its name had been given as `text_model`.
    """

    def __init__(
        self,
        *,
        text: TextEncoder | None = None,
        image: ImageEncoder | None = None,
        reader: Reader | None = None,
        cross_encoder: CrossEncoder | None = None,
        summarizer: WritingModel | None = None,
        generator: WritingModel | None = None,
    ) -> None:
        self._text, self._image = text, image
        self._reader, self._cross_encoder = reader, cross_encoder
        self._writers = {"summarizer": summarizer, "generator": generator}

    @property
    def names(self) -> Mapping[str, str]:
        """The names of those that were given."""
        given = {
            "text_model": self._text,
            "image_model": self._image,
            "reader": self._reader,
            "cross_encoder": self._cross_encoder,
        }
        found = {setting: model.card.name for setting, model in given.items() if model is not None}
        return found | {setting: writer.name for setting, writer in self._writers.items() if writer is not None}

    def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
        """Return the text encoder that was given, or load the one of another name."""
        given = self._text
        return given if given is not None and name == given.card.name else super().text(name, **how)

    def image(self, name: str, *, text_encoder: TextEncoder | None = None, **how: Unpack[How]) -> ImageEncoder:
        """Return the image encoder that was given, or load the one of another name."""
        given = self._image
        if given is not None and name == given.card.name:
            return given
        return super().image(name, text_encoder=text_encoder, **how)

    def reader(self, name: str, **how: Unpack[How]) -> Reader:
        """Return the reader that was given, or load the one of another name."""
        given = self._reader
        return given if given is not None and name == given.card.name else super().reader(name, **how)

    def cross_encoder(self, name: str, **how: Unpack[How]) -> CrossEncoder:
        """Return the cross-encoder that was given, or load the one of another name."""
        given = self._cross_encoder
        return given if given is not None and name == given.card.name else super().cross_encoder(name, **how)

    def writer(self, name: str, **how: Unpack[How]) -> WritingModel:
        """Return the writer that was given, or load the one of another name."""
        given = (writer for writer in self._writers.values() if writer is not None and writer.name == name)
        return next(given, None) or super().writer(name, **how)
