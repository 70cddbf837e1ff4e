"""Copy the photos that ship inside scikit-image and scikit-learn: `python -m quarry.data.photos FOLDER`."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

_PLACES = {
    "skimage": (
        "data",
        "astronaut.png camera.png chelsea.png coffee.png coins.png grass.png gravel.png horse.png hubble_deep_field.jpg"
        " moon.png motorcycle_left.png retina.jpg rocket.jpg",
    ),
    "sklearn": ("datasets/images", "china.jpg flower.jpg"),
}


def copy_photos(folder: Path) -> list[Path]:
    """Copy the photos into `folder`; return where they are now.

    Raises:
        ModuleNotFoundError: a package that holds them is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for package, (place, names) in _PLACES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{package} is not installed: pip install 'quarry-search[demo]'.")
        for name in names.split():
            copies.append(Path(shutil.copy(Path(spec.origin).parent / place / name, folder / name)))
    return copies


if __name__ == "__main__":
    copy_photos(Path(sys.argv[1]))
