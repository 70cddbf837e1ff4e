"""Which parts of a picture the embedded model's cosine adds up from.

    vector = (unit(head) + classes) at length 1, and a bias
    head = a linear layer over the mean of 7 x 7 patches + what attention and two layers see in all of them

The first term of the head is linear in the patches, and so each has an exact share of the cosine. What attention sees
is not: it has a share of its own (`seen`), as have what the picture's likeliest classes are called (`classes`) and the
bias that keeps hubs back (`hub`). All together are the cosine.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.contracts import PatchShares
from quarry.search.models.graphs.efficientnet import ROOM
from quarry.search.models.graphs.outputs import with_outputs
from quarry.search.models.image.embedded import CARD, WEIGHTS, model_folder
from quarry.search.models.runtime import open_session
from quarry.search.types import Pixels, Vectors

# As `graphs.efficientnet` names them.
_OUTPUTS = ("tuned.features", "head", "conceived", "joined")


class Patches:
    """The embedded image model with what it works out on the way.

    Args:
        graph: the serialized graph of its image tower.
    """

    def __init__(self, graph: bytes) -> None:
        self._session = open_session(with_outputs(graph, _OUTPUTS), convolutions=True)

    @cached_property
    def _linear(self) -> NDArray[np.float64]:
        """The (d, channels) weights of the linear layer over the patches."""
        from safetensors.numpy import load_file

        from quarry.search.models.graphs.drawn import shipped_part

        trained = load_file(shipped_part(model_folder() / WEIGHTS, CARD.name, CARD.sha256))
        return np.asarray(trained["visual.head.linear.weight"], np.float64)

    def shares(self, pixels: Pixels, query: Vectors) -> PatchShares:
        """Split the cosine of a picture, (224, 224, 3) uint8, to a (d + 2,) query."""
        vector, *others = (one[0].astype(np.float64) for one in self._session.run(None, {"pixels": pixels[None]}))
        features, head, classes, joined = others
        asked = query[: len(head)].astype(np.float64)
        scale = 1 / (np.linalg.norm(joined) * ROOM)
        own = scale / np.linalg.norm(head)
        patches = np.einsum("c,cij->ij", self._linear.T @ asked, features) / features[0].size * own
        hub = float(vector[len(head) :] @ query[len(head) :])
        seen = float(head @ asked * own - patches.sum())
        return PatchShares(patches, {"seen": seen, "classes": float(classes @ asked * scale), "hub": hub})
