"""Folders of readers and cross-encoders as far as their cards look: nothing is loaded from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

READER = {"model_type": "bert", "architectures": ["BertForQuestionAnswering"], "max_position_embeddings": 128}
SCORER = {**READER, "architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}


def write(folder: Path, config: dict[str, Any], weights: str = "model.safetensors", **files: Any) -> Path:
    """Write what tells a model's kind; its weights are none."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / weights).write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder
