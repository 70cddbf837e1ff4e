"""Models that do a task: any model of transformers that one of its Auto classes opens, in torch.

There is no export and no parity: such a model is served by its original, since there are as many heads as tasks.
Nothing is embedded: one is always named, by the hub's name, as the hub's cache has it, or by its folder; its weights
are safetensors, and no code of it is run.
"""
