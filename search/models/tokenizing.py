"""Tokenizers, as the tokenizers library keeps them: those of originals brought into that form, and opened to serve."""

from __future__ import annotations

import json
from typing import Any

from quarry.search.errors import ModelDamaged
from quarry.search.language.scripts import scripts_of_vocabulary
from quarry.search.models import prepared as models
from quarry.search.models.tracing import NotExportable


def open_tokenizer(ready: models.Prepared[models.AnyCard]) -> Any:
    """Return the tokenizer of a prepared model, one of the tokenizers library.

    Raises:
        ModelDamaged: it is not what was written when the model was prepared.
    """
    from tokenizers import Tokenizer

    path = ready.checked(models.TOKENIZER)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise ModelDamaged(f"{path} is unusable ({error}); {models.mend(ready.card)}.") from error


def encodable(text: str) -> str:
    """Replace lone surrogates, which are no text, each by one character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def serving_tokenizer(model: Any) -> bytes:
    """Return the tokenizer that the original really uses, as the tokenizers library keeps it."""
    tokenizer = model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "to_str"):
        raise NotExportable("its tokenizer has no form in the tokenizers library")
    values = json.loads(backend.to_str())
    values["truncation"] = values["padding"] = None
    if backend is tokenizer:  # a static table's, which is asked for no special tokens
        values["post_processor"] = None
    return json.dumps(values, ensure_ascii=False).encode()


def scripts_of(tokenizer: bytes) -> tuple[str, ...]:
    """Return the scripts that a tokenizer's vocabulary has words of."""
    from tokenizers import Tokenizer

    decoded = Tokenizer.from_buffer(tokenizer)
    return scripts_of_vocabulary(decoded.decode([token]) for token in range(decoded.get_vocab_size()))
