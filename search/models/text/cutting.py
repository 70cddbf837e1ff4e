"""Which tokenizer cuts texts for a prepared model."""

from __future__ import annotations

from quarry.search.models import prepared as models
from quarry.search.models.text.pieces import UnigramPieces
from quarry.search.models.text.tokens import LibraryTokens, Tokens
from quarry.search.models.tokenizing import open_tokenizer


def tokens_of(ready: models.Prepared[models.AnyCard], *, literally: bool = False) -> Tokens:
    """Return what cuts texts for a prepared model.

    Args:
        literally: take special tokens that stand in a text as plain characters.

    Raises:
        ModelDamaged: it is not what was written when the model was prepared.
    """
    if models.PIECES in ready.files:
        return UnigramPieces(ready.checked(models.PIECES))
    return LibraryTokens(open_tokenizer(ready), literally=literally)
