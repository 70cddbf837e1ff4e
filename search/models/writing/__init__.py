"""Models that write: a prompt -> text, of transformers.

There is no export and no parity: such a model is served by its original in torch, since a graph that writes would have
to hand what was computed of all tokens before in and out at every step. Nothing is embedded: one is always named.
"""
