"""Models: what embeds, reads and writes. A folder for each kind, and what all kinds share.

Each folder (`text`, `image`, `pair` for readers and cross-encoders, `writing`) has

    card.py       what is known of a model of this kind, and the identity of what it computes
    source.py     where the weights of a name lie, and its card read from them
    original.py   the model as its own library runs it, in torch
    export.py     the original -> an ONNX graph
    parity.py     how near the one is to the other, on a fixed bank
    serving.py    a prepared model -> a live one
    embedded.py   the one that Quarry comes with

and `kinds.py` has a row for each. `loading.py` opens a model by its name; `prepared.py` is the cache of exported ones,
which `preparation.py` fills, running `exporting.py` in a child. Callers know `contracts.py` only.
"""
