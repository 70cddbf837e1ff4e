"""The engines that read scans, a row for each: of those that are installed the first, unless another is named."""

from __future__ import annotations

from quarry.indexer.loaders.scans.base import Engine
from quarry.indexer.loaders.scans.rapid import Rapid
from quarry.indexer.loaders.scans.tesseract import Tesseract

ENGINES: tuple[Engine, ...] = (Tesseract(), Rapid())
NAMES = tuple(engine.name for engine in ENGINES)
ADVICE = "turn OCR on, or install Tesseract and its languages (apt install tesseract-ocr tesseract-ocr-kor)"


def engine(name: str = "") -> Engine | None:
    """Return the engine of a name, or the first that there is; None where it is not installed."""
    return next((one for one in ENGINES if name in ("", one.name) and one.version), None)
