"""Tracing: torch modules into ONNX graphs, with an attention that ONNX Runtime has one operator for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

ATTENTION = "onnx_multi_head"
LARGEST = 1_800_000_000  # bytes of weights; a serialized graph must stay under 2 GiB


class NotExportable(Exception):
    """The model is of a kind that no graph can be made of."""


def reason_of(error: Exception) -> str:
    """Return the first words of what a library says, on one line and without colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:200] or type(error).__name__


def check_size(module: Any) -> None:
    """Refuse a torch module whose weights are more than a graph may hold.

    Raises:
        NotExportable: they are.
    """
    if sum(parameter.numel() * parameter.element_size() for parameter in module.parameters()) > LARGEST:
        raise NotExportable("its weights are larger than an ONNX graph may be")


def traced(module: Any, example: Any, takes: str, gives: str, dynamic: Mapping[int, Any] | None = None) -> ModelProto:
    """Trace a torch module of one input into an ONNX graph.

    Args:
        module: the module.
        example: an input.
        takes, gives: names of the graph's input and output.
        dynamic: the axes of the input that may be of any length.
    """
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,) if dynamic else None,
            input_names=[takes],
            output_names=[gives],
            opset_version=20,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def attention_of(transformer: Any, attention: str | None) -> Iterator[None]:
    """Let a model of transformers use an attention for a while, its own where None is given."""
    if attention is None:
        yield
        return
    register(attention)
    usual = transformer.config._attn_implementation
    transformer.set_attn_implementation(attention)
    try:
        yield
    finally:
        transformer.set_attn_implementation(usual)


def register(name: str) -> None:
    """Give transformers an attention that becomes one `MultiHeadAttention` node of ONNX Runtime, unmasked.

    One text without padding has nothing to mask. Attention with a window, a bias or shared keys is refused, and the
    model's own is exported instead.
    """
    import torch
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    def attend(
        module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float | None = None, **options: Any
    ) -> tuple[Any, None]:
        _, heads, length, size = query.shape
        unusual = [k for k in ("sliding_window", "position_bias", "softcap") if options.get(k) is not None]
        if unusual or mask is not None or getattr(module, "is_causal", False) or key.shape[1] != heads:
            raise NotExportable(f"its attention is not plain ({', '.join(unusual) or 'masked, causal or grouped'})")
        parts = [part.transpose(1, 2).reshape(1, length, heads * size) for part in (query, key, value)]
        mixed = torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            parts,
            attrs={"num_heads": heads, "scale": float(size**-0.5 if scaling is None else scaling)},
            dtype=query.dtype,
            shape=(1, length, heads * size),
            version=1,
        )
        return mixed.reshape(1, length, heads, size), None

    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, lambda *_, **__: None)
