"""Originals: readers and cross-encoders as transformers runs them itself, in torch; to export, and to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models.extra import need
from quarry.search.models.pair.card import PairCard
from quarry.search.models.pair.source import EMBEDDED
from quarry.search.models.text.embedded import embedded_folder

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PairOriginal:
    """A loaded model, in evaluation mode, and its tokenizer, both of transformers."""

    card: PairCard
    model: Any
    tokenizer: Any

    @property
    def separator(self) -> int:
        """The token after which the second text begins, -1 where the model does not tell the texts apart by types."""
        if getattr(self.model.config, "type_vocab_size", 0) < 2:
            return -1
        return int(self.tokenizer.sep_token_id)


def load(card: PairCard) -> PairOriginal:
    """Load the original of `card`.

    Raises:
        ModelMissing, ModelDamaged: it can't be loaded, or lacks some of its weights.
    """
    need(card.name, "torch", "transformers")
    from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoTokenizer

    kind = AutoModelForQuestionAnswering if card.task == "reader" else AutoModelForSequenceClassification
    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = card.source or str(embedded_folder())
    try:
        if card.source:
            model, told = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **safely)
        else:
            model, told = EMBEDDED[card.name].build(), {}
        tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
    except (ModelMissing, ModelDamaged):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelDamaged(f"transformers can't load {folder}: {reason}") from error
    if absent := sorted(told.get("missing_keys", ())):
        raise ModelDamaged(f"{folder} lacks weights of the model ({absent[0]}): fetch or save it again.")
    return PairOriginal(card, model.eval().float(), tokenizer)


def graph_module(original: PairOriginal) -> Any:
    """Return a torch module: (1, n) ids of a window -> its logits."""
    import torch

    separator, model = original.separator, original.model
    is_reader = original.card.task == "reader"

    class Pair(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any) -> Any:
            types = {}
            if separator >= 0:
                borders = (input_ids == separator).long()
                types["token_type_ids"] = (borders.cumsum(1) > borders).long()
            output = self.model(input_ids=input_ids, **types)
            if is_reader:
                return torch.stack([output.start_logits, output.end_logits], dim=-1)
            return output.logits[:, 0]

    return Pair().eval()
