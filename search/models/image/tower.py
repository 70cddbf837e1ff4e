"""The towers of the embedded image model, as torch modules; see `search.models.image.embedded`.

Imports torch: only the export and the training import it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from open_clip import CustomTextCLIP
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from torch import Tensor, nn
from torch.nn import functional as F

from quarry.search.models.graphs.efficientnet import BIAS, CONCEPTS, HEADS, LIKELIEST, ROOM, SHARPNESS, TUNED

DIMENSION = 384
BANK = 512  # vectors of typical captions

_FEATURES, _STAGE, _CELLS = 1280, 320, 49  # channels of the last features and of the last stage; cells of 7 x 7
_KEYS, _RANK, _HIDDEN = 512, 400, 768
_DROPOUT = 0.3
_BATCH = 256  # texts


class Head(nn.Module):  # type: ignore[misc]  # torch is not followed
    """The features of a picture -> its vector: what eight attention heads look at, and the mean of it all."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(_FEATURES, _KEYS)
        self.key = nn.Linear(_STAGE, _KEYS)
        self.value = nn.Linear(_STAGE, _KEYS)
        self.position = nn.Parameter(torch.zeros(_CELLS, _STAGE))
        width = _FEATURES + _KEYS
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Dropout(_DROPOUT),
            nn.Linear(width, _RANK, bias=False),
            nn.Linear(_RANK, _HIDDEN),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_HIDDEN, DIMENSION),
        )
        self.linear = nn.Linear(_FEATURES, DIMENSION)

    def forward(self, stage: Tensor, features: Tensor) -> Tensor:
        """Return (n, DIMENSION) of (n, 320, 7, 7) and (n, 1280, 7, 7)."""
        mean = features.flatten(2).mean(2)
        cells = stage.flatten(2).transpose(1, 2) / 4 + self.position
        query, key, value = (
            part.unflatten(-1, (HEADS, -1)).transpose(-3, -2)
            for part in (self.query(mean)[:, None], self.key(cells), self.value(cells))
        )
        looked = F.scaled_dot_product_attention(query, key, value).flatten(1)
        both = torch.cat([mean, looked.to(mean.dtype)], 1)
        vector: Tensor = self.mlp(both) + self.linear(F.dropout(mean, _DROPOUT, self.training))
        return vector


class ImageTower(nn.Module):  # type: ignore[misc]
    """Pictures -> vectors.

    Args:
        backbone: timm's `tf_efficientnet_lite0` with its classifier.
    """

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone
        for parameter in backbone.parameters():
            parameter.requires_grad_(False)
        self.tuned = nn.ModuleList(
            copy.deepcopy(part) for part in (*backbone.blocks[TUNED:], backbone.conv_head, backbone.bn2)
        )
        for parameter in self.tuned.parameters():
            parameter.requires_grad_(True)
        self.head = Head()
        self.bank = nn.Parameter(torch.zeros(BANK, DIMENSION), requires_grad=False)
        self.register_buffer("concepts", torch.zeros(backbone.num_classes, DIMENSION), persistent=False)

    def shared(self, pictures: Tensor) -> Tensor:
        """Return what both branches begin with, (n, 112, 14, 14) of (n, 3, 224, 224) of -1..1."""
        values = self.backbone.bn1(self.backbone.conv_stem(pictures))
        for stage in self.backbone.blocks[:TUNED]:
            values = stage(values)
        return values

    def logits(self, shared: Tensor) -> Tensor:
        """Return the backbone's own (n, 1000) logits, which no training changes."""
        values = shared
        for stage in self.backbone.blocks[TUNED:]:
            values = stage(values)
        features = self.backbone.bn2(self.backbone.conv_head(values))
        logits: Tensor = self.backbone.classifier(features.mean((2, 3)))
        return logits

    def look(self, shared: Tensor) -> Tensor:
        """Return the (n, DIMENSION) unit vectors of the trained branch."""
        *stages, conv_head, norm = self.tuned
        values = shared
        for stage in stages:
            values = stage(values)
        return F.normalize(self.head(values, norm(conv_head(values))), dim=1)

    def conceive(self, logits: Tensor) -> Tensor:
        """Return the (n, DIMENSION) means of the likeliest classes' text vectors, weighed by their probabilities."""
        values, classes = logits.softmax(1).topk(LIKELIEST, dim=1)
        return torch.einsum("nk,nkd->nd", values, self.concepts[classes])

    def join(self, looked: Tensor, conceived: Tensor) -> Tensor:
        """Return the (n, DIMENSION) unit vectors of pictures, of what both branches say."""
        return F.normalize(looked + CONCEPTS * conceived, dim=1)

    def biased(self, vectors: Tensor) -> Tensor:
        """Return (n, DIMENSION + 2) unit vectors: those given, the bias against hubs, and what makes the length 1."""
        near = torch.logsumexp(SHARPNESS * vectors @ self.bank.T, dim=1, keepdim=True) / SHARPNESS
        bias = (BIAS * near).clamp(-0.5, 0.5)
        rest = (ROOM**2 - 1 - bias**2).clamp(min=0).sqrt()
        return torch.cat([vectors, -bias, rest], dim=1) / ROOM

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (n, DIMENSION + 2) unit vectors of (n, 3, 224, 224) of -1..1."""
        shared = self.shared(pictures)
        return self.biased(self.join(self.look(shared), self.conceive(self.logits(shared))))


class DualEncoder(CustomTextCLIP):  # type: ignore[misc]  # open_clip is not followed
    """open_clip's dual encoder with this project's image tower.

    Args:
        backbone: a checkpoint of EfficientNet-Lite0, whose tensors are timm's in the same order.
        text: folder of all-MiniLM-L6-v2.
    """

    def __init__(self, backbone: Path, text: Path) -> None:
        super().__init__(
            embed_dim=DIMENSION,
            vision_cfg=CLIPVisionCfg(timm_model_name="tf_efficientnet_lite0", timm_proj="linear", image_size=224),
            text_cfg=CLIPTextCfg(
                hf_model_name=str(text), hf_model_pretrained=True, hf_pooler_type="mean_pooler", hf_proj_type="linear"
            ),
        )
        self._folder = text
        self.visual = ImageTower(load_backbone(backbone))
        for parameter in self.text.transformer.parameters():
            parameter.requires_grad_(False)
        nn.init.eye_(self.text.proj.weight)

    @property
    def projection(self) -> Tensor:
        """What MiniLM's vectors are multiplied by, (384, DIMENSION)."""
        weight: Tensor = self.text.proj.weight.detach().T
        return weight

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Return (n, DIMENSION + 2) unit vectors of token ids, whatever `normalize` says."""
        units = F.normalize(self.text(text), dim=1)
        return torch.cat([units, torch.ones_like(units[:, :1]), torch.zeros_like(units[:, :1])], dim=1) / 2**0.5

    def set_classes(self, classes: Sequence[Sequence[str]]) -> None:
        """Say what the backbone's classes are called, each by one phrase or more; the mean of these stands for it."""
        vectors = iter(self.embed([phrase for phrases in classes for phrase in phrases]))
        means = torch.stack([torch.stack([next(vectors) for _ in phrases]).mean(0) for phrases in classes])
        with torch.no_grad():
            self.visual.concepts = F.normalize(self.text.proj(means), dim=1)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Return MiniLM's own (n, 384) unit vectors."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))  # like with like: little is padded
        vectors = torch.empty(len(texts), DIMENSION)
        for start in range(0, len(texts), _BATCH):
            numbers = order[start : start + _BATCH]
            batch = [texts[number] for number in numbers]
            tokens = tokenizer(batch, padding=True, truncation=True, max_length=256, return_tensors="pt")
            vectors[numbers] = self.text.pooler(self.text.transformer(**tokens), tokens["attention_mask"])
        return F.normalize(vectors, dim=1)

    def trained(self) -> dict[str, Tensor]:
        """Return the weights that training changes, by name; all else comes from the packages."""
        return {
            name: value.detach()
            for name, value in self.named_parameters()
            if value.requires_grad or name == "visual.bank"
        }


def load_backbone(path: Path) -> Any:
    """Return timm's EfficientNet-Lite0 with the weights of a checkpoint, in evaluation mode."""
    stored = torch.load(path, weights_only=True, map_location="cpu")
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict(dict(zip(model.state_dict(), stored.values(), strict=True)))
    return model.eval()
