"""The extra `models`: what any model needs but the embedded ones, and what a light installation lacks."""

from __future__ import annotations

from importlib.util import find_spec

from quarry.search.errors import ModelMissing

INSTALL = "pip install 'quarry-search[models]'"


def need(model: str, *modules: str) -> None:
    """See that modules which the original of `model` is loaded by can be imported, without importing them.

    Raises:
        ModelMissing: one is not installed; the message gives the command.
    """
    for module in modules:
        if find_spec(module) is None:
            raise ModelMissing(f"the model {model!r} needs {module}, which is not installed: `{INSTALL}`.")
