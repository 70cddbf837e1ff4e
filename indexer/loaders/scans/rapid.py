"""RapidOCR: PaddleOCR's models (PP-OCRv6, small) that its package holds, by ONNX Runtime. It knows no Hangul."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from quarry.indexer.loaders.scans.base import TextLine

# All three are named by their paths: it would fetch what it does not find by name.
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_LONGEST = 2_000  # pixels, the longer side of what it is given


class Rapid:
    """The `Engine` that `pip install quarry-search[ocr]` brings."""

    name = "rapidocr"

    @property
    def version(self) -> str:
        """The version of its package, "" where that is not here, or came without its models."""
        try:
            return version("rapidocr") if all(path.is_file() for path in _paths().values()) else ""
        except PackageNotFoundError:
            return ""

    @property
    def reads(self) -> Sequence[str]:
        """Latin letters of any language, Chinese and Japanese."""
        return ("eng", "chi", "jpn") if self.version else ()

    @property
    def lacks(self) -> Sequence[str]:
        """Korean, and turned pages."""
        return ("RapidOCR reads no Korean, nor pages that lie on their side; install Tesseract, which does",)

    def read(self, picture: Image.Image, *, sparse: bool = False) -> list[TextLine]:
        """Read a picture; each line that it finds is a paragraph."""
        found = self._model(np.asarray(picture.convert("RGB")))
        if found.boxes is None:
            return []
        width, height = picture.size
        lines = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            box = (left / width, top / height, right / width, bottom / height)
            lines.append(TextLine(text, tuple(map(float, box)), float(score), 0))  # type: ignore[arg-type]
        return lines

    @cached_property
    def _model(self) -> Any:
        from rapidocr import RapidOCR

        from quarry.search.models.runtime import load_onnxruntime

        load_onnxruntime()
        paths = {f"{part}.model_path": str(path) for part, path in _paths().items()}
        few = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
        return RapidOCR(params={"Global.log_level": "critical", "Global.max_side_len": _LONGEST, **few, **paths})


def _paths() -> dict[str, Path]:
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise PackageNotFoundError("rapidocr")
    return {part: Path(spec.origin).parent / "models" / name for part, name in _MODELS.items()}
