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
        others: how those end that are called so, and do something else.
        loader: the Auto class of transformers that opens them, or several, each for some of them.
        processor: the Auto class that makes their input.
        tokenizer: the Auto class of what makes words of their output, where the processor does not.
        may_lack_pictures: whether some of its models are given words alone, and come without what makes pictures.
        takes_labels: whether it tells labels apart that are given when its model is chosen.
        takes_language: whether it is told then which language to write.
        command: how it is asked for on the command line.
        default: the model that does it where none is named, "" where one must be.
        option: what names another model, "" where nothing does.
        seen: where one sees what it says.
    """

    name: str
    heads: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    loader: str | tuple[str, ...] = ""
    processor: str = "AutoTokenizer"
    tokenizer: str = ""
    may_lack_pictures: bool = False
    takes_labels: bool = False
    takes_language: bool = False
    command: str
    default: str = ""
    option: str = ""
    seen: str

    @property
    def tells_labels(self) -> bool:
        """Whether its models tell labels apart that their configuration names."""
        ends = ("Classification", "Detection", "Segmentation")
        return not self.takes_labels and any(head.endswith(ends) for head in self.heads)

    @property
    def loaders(self) -> tuple[str, ...]:
        """The Auto classes of transformers that open its models."""
        return (self.loader,) if isinstance(self.loader, str) else self.loader
