"""Photographs that scikit-learn and scikit-image carry in their wheels, and how a network sees them."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from PIL import Image

# name: (what provides it, whether it is a scikit-learn sample). All are in the wheels; none is downloaded.
_SKLEARN = {"china": "china.jpg", "flower": "flower.jpg"}
_SKIMAGE = ("astronaut", "chelsea", "coffee", "rocket")
NAMES = (*_SKLEARN, *_SKIMAGE)


def photograph(name: str) -> np.ndarray:
    """The photograph `name` (one of NAMES): uint8 [height, width, 3]."""
    if name in _SKLEARN:
        return import_module("sklearn.datasets").load_sample_image(_SKLEARN[name])
    if name in _SKIMAGE:
        return getattr(import_module("skimage.data"), name)()[..., :3]
    raise ValueError(f"no photograph '{name}'; there are {', '.join(NAMES)}")


def centre_crop(picture: np.ndarray, size: int = 224, share: float = 0.875) -> np.ndarray:
    """The middle part, uint8 [size, size, 3]: the shorter side is scaled to size/share, then cut."""
    height, width = picture.shape[:2]
    scale = size / share / min(height, width)
    scaled = Image.fromarray(picture).resize((round(width * scale), round(height * scale)), Image.BICUBIC)
    left, top = (scaled.width - size) // 2, (scaled.height - size) // 2
    return np.asarray(scaled.crop((left, top, left + size, top + size)))


def as_input(crop: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] as a network's input: float32 [1, 3, h, w] with values in -1..1."""
    scaled = crop.astype(np.float32) / 127.5 - 1.0
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)
