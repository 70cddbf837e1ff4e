"""The extra `models`: what any model needs but the embedded ones, and what a light installation lacks."""

from __future__ import annotations

from importlib.util import find_spec

from quarry.search.errors import ModelMissing

INSTALL = "pip install 'quarry-search[models]'"
# What only some models need, with the command. Pandas is in no extra: some libraries import it wherever it is.
_OF_SOME = {"sentencepiece": INSTALL, "pandas": "pip install pandas"}


def need(model: str, *modules: str) -> None:
    """See that modules which the original of `model` is loaded by can be imported, without importing them.

    Raises:
        ModelMissing: one is not installed; the message gives the command.
    """
    for module in modules:
        if find_spec(module) is None:
            raise _missing(model, module, INSTALL)


def lacking(model: str, error: ImportError) -> ModelMissing:
    """Return what is to be said where transformers could not import what a model needs."""
    said = " ".join(str(error).split())
    for module, command in _OF_SOME.items():
        if module in said.lower():
            return _missing(model, module, command)
    return ModelMissing(f"transformers can't load {model}: {said[:300]}")


def _missing(model: str, module: str, command: str) -> ModelMissing:
    return ModelMissing(f"the model {model!r} needs {module}, which is not installed: `{command}`.")
