"""Originals: text models as sentence-transformers runs them itself, in torch, to export and to compare with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged, ModelError
from quarry.search.models import files
from quarry.search.models.extra import need
from quarry.search.models.text.card import TextCard
from quarry.search.models.text.source import folder_of
from quarry.search.types import Vectors

Task = Literal["query", "document"]


def load(card: TextCard) -> TextOriginal:
    """Load the original of `card`; raise as `TextOriginal` does, and `ModelMissing` where its libraries are."""
    need(card.name, "torch", "sentence_transformers")
    return TextOriginal(card)


class TextOriginal:
    """A loaded SentenceTransformer. It cuts texts where the card says; importing it takes seconds.

    Texts are encoded one at a time, so that a vector does not depend on what it is encoded with.

    Raises:
        ModelMissing: the model is not on this machine any more.
        ModelDamaged: sentence-transformers can't load it, or it is not what its card says.
    """

    def __init__(self, card: TextCard) -> None:
        from sentence_transformers import SentenceTransformer

        self.card = card
        folder = folder_of(card)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        except Exception as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ModelDamaged(f"sentence-transformers can't load {folder}: {reason}") from error
        self.model: Any = model.eval().float()
        self.tokenizer: Any = self.model.tokenizer
        for module in self.model.modules():  # a router has several
            if hasattr(module, "auto_model") and hasattr(module, "max_seq_length"):
                stated = {"max_seq_length": module.max_seq_length}
                longest = files.max_tokens(module.auto_model.config.to_dict(), stated, {})
                module.max_seq_length = longest
                if module.processor is not module.tokenizer:  # one of pictures, too, which has a mind of its own
                    module.processing_kwargs = {**module.processing_kwargs, "text": {"max_length": longest}}

    def encode(self, texts: Sequence[str], task: Task) -> Vectors:
        """Encode texts as `encode_query` or `encode_document` does, (n, dimension); NaN where one has no direction.

        Raises:
            ModelError: the model fails on a text.
        """
        return np.asarray([self._vector(text, task) for text in texts], np.float32).reshape(-1, self.card.dimension)

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) character offsets of the content tokens of `text`, however long it is.

        A tokenizer that knows no offsets is taken to have a token of every four characters, and of every non-ASCII one.
        """
        if getattr(self.tokenizer, "is_fast", False):
            encoding = self.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
            )
            return np.asarray(encoding["offset_mapping"], np.int64).reshape(-1, 2)
        return _guessed_offsets(text)

    @property
    def special_tokens(self) -> int:
        """How many tokens the tokenizer adds to a text."""
        return len(self.tokenizer("")["input_ids"]) if getattr(self.tokenizer, "is_fast", False) else 2

    def _vector(self, text: str, task: Task) -> Vectors:
        prefix = self.card.query_prefix if task == "query" else self.card.document_prefix
        nothing = np.full(self.card.dimension, np.nan, np.float32)
        try:
            found = self.model.encode(
                [text], prompt=prefix, task=task, batch_size=1, normalize_embeddings=True, show_progress_bar=False
            )[0]
        except Exception as error:
            if not (prefix + text).strip():  # a tokenizer that adds nothing leaves nothing to encode
                return nothing
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ModelError(
                f"sentence-transformers itself fails on a text of {len(text):,} characters by {self.card.name} "
                f"({reason}): if the text is long, state the model's `max_seq_length` in its sentence_bert_config.json."
            ) from error
        vector = np.asarray(found, np.float32)
        if vector.shape != nothing.shape:
            raise ModelDamaged(
                f"{self.card.name} gives vectors of {vector.size} dimensions, but its files say {nothing.size}: "
                f"save it again with `SentenceTransformer(...).save(FOLDER)`."
            )
        return vector if abs(float(vector @ vector) - 1) < 1e-3 else nothing


def _guessed_offsets(text: str) -> NDArray[np.int64]:
    starts = []
    run = 0
    for position, character in enumerate(text):
        if character.isspace():
            run = 0
        elif not character.isascii() or run % 4 == 0:
            starts.append(position)
            run = 1
        else:
            run += 1
    following = [*starts[1:], len(text)][: len(starts)]
    ends = [start + len(text[start:end].rstrip()) for start, end in zip(starts, following, strict=True)]
    return np.asarray([starts, ends], np.int64).T.reshape(-1, 2)
