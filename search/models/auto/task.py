"""Tasks, as the Hugging Face hub calls them: which models do one, and how it is asked for.

The row of each stands beside its code, as a `Task`; docs/tasks.md is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task that helps retrieval.

    Args:
        name: by which the hub calls it, such as `text-classification`.
        heads: how the names of architectures end whose models do it, () where no model of transformers is asked for.
        loader: the Auto class of transformers that opens them.
        processor: the Auto class that makes their input.
        command: how it is asked for on the command line.
        default: the model that does it where none is named, "" where one must be.
        option: what names another model, "" where nothing does.
        seen: where one sees what it says.
    """

    name: str
    heads: tuple[str, ...] = ()
    loader: str = ""
    processor: str = "AutoTokenizer"
    command: str
    default: str = ""
    option: str = ""
    seen: str
