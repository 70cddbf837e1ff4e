"""Parity of image models: an export beside its original, from raw pictures and raw strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quarry.search.models.contracts import ImageEncoder
from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.original import ImageOriginal
from quarry.search.models.text import original as text_originals
from quarry.search.models.text.parity import Parity, bank
from quarry.search.models.text.source import resolve as resolve_text
from quarry.search.types import Pixels, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

_SIZES = ((640, 480), (480, 640), (224, 224), (31, 47), (900, 90), (90, 900), (1, 1), (333, 1000), (256, 255), (96, 96))
_TEXTS = (
    "a photo of a dog",
    "A diagram of the water cycle, with arrows; labelled.",
    "Fish &amp; chips &lt;b&gt; &amp;amp; caf&eacute;",
    "schÃ¶n, dÃ©jÃ  vu",
    "it’s “quoted” — isn’t it?",
    "IT'S I'LL we'Re THEY'D",
    "snake_case_name and-a-hyphen",
    "İstanbul ẞ ǅ ﬁn",
    "ｆｕｌｌｗｉｄｔｈ　１２３",
    "cafe\u0301 n\u0303",
    "½ ² ⅷ ٣ 三",
    "\x1b[31mred\x1b[0m\x00 and\x07 so on\r\nand on",
    "no\u00a0break\u3000wide\u200bnone",
    "\ufeffmark",
    "👩‍👩‍👧 🇰🇷 ❤️",
    "हिन्दी में एक वाक्य",
    "!" * 300,
    "a < b && b > c",
)


def texts() -> list[str]:
    """Return the texts, about 75: those of the bank of text models, and what cleaning changes."""
    return [*bank(), *_TEXTS]


def pictures() -> list[Image]:
    """Return pictures of many sizes and aspects, in RGB: slopes, noise, edges and blobs, the same everywhere."""
    from PIL import Image

    generator = np.random.default_rng(20)
    found = []
    for number, (width, height) in enumerate(_SIZES):
        across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        waves = generator.uniform(1, 12, (3, 2))
        colours = [np.sin(across * x * 3 + down * y * 3 + number) for x, y in waves]
        values = np.stack(colours, axis=-1) * 90 + 128
        if number % 3 == 1:
            values += generator.normal(0, 60, values.shape)
        if number % 3 == 2:
            values[(across * 7).astype(int) % 2 == (down * 5).astype(int) % 2] = generator.uniform(0, 255, 3)
        found.append(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8), "RGB"))
    return found


def own_transform(card: ImageCard) -> Any:
    """Return open_clip's own transform of a picture into what `encode_image` takes."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    wanted = card.preprocessing
    size = wanted.width if wanted.width == wanted.height else (wanted.height, wanted.width)
    config = PreprocessCfg(
        size=size,
        mean=card.mean,
        std=card.std,
        interpolation=wanted.interpolation,
        resize_mode=wanted.resize,
        fill_color=wanted.fill,
    )
    return image_transform_v2(config, is_train=False)


def fitted(card: ImageCard, images: list[Image]) -> list[Pixels]:
    """Return pictures as they are served: cut by `search.formats.pixels`."""
    from quarry.search.formats.pixels import fit

    return [fit(image, card.preprocessing) for image in images]


def check(encoder: ImageEncoder, original: ImageOriginal) -> Mapping[str, float]:
    """Return cosines of what an encoder makes of the banks to what its original does: the least and the mean.

    Both are beside the least of the pictures, `pictures_min`, and that of the texts, `texts_min`.
    """
    images, card = pictures(), original.card
    transform = own_transform(card)
    shown = Parity.of(
        encoder.encode_pictures(fitted(card, images)), original.encode_floats([transform(image) for image in images])
    )
    said = Parity.of(encoder.encode_texts(texts()), _text_reference(card, original))
    return {
        "min": min(shown.least, said.least),
        "mean": round((shown.mean + said.mean) / 2, 6),
        "pictures_min": shown.least,
        "texts_min": said.least,
    }


def _text_reference(card: ImageCard, original: ImageOriginal) -> Vectors:
    if original.projection is None:
        return original.encode_texts(texts())
    tower = text_originals.load(resolve_text(card.text_tower))
    vectors = tower.encode(texts(), "query") @ original.projection
    units = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    return card.with_constant(units)
