"""Initial weights, a pure function of seed and layer: variants with the same seed start from the same draws."""

from typing import Any

import numpy as np

from bnrenorm.rng import Stream, generator


def draw(init: Any, seed: int, layer: int, fan_in: int, width: int) -> np.ndarray:
    """Draw a layer's weights (width, fan_in), float32; `init` is `model.weight_init`. [LeCun98, Glorot10, He15]"""
    random = generator(seed, Stream.WEIGHTS, layer)
    family, _, distribution = init.kind.rpartition("_")
    if init.kind == "normal":
        weights = init.mean + init.std * random.standard_normal((width, fan_in))
    elif init.kind == "uniform":
        weights = random.uniform(init.min, init.max, (width, fan_in))
    elif init.kind in ("zeros", "ones"):
        weights = np.full((width, fan_in), float(init.kind == "ones"))
    else:
        variance = {"lecun": 1 / fan_in, "glorot": 2 / (fan_in + width), "he": 2 / fan_in}[family]
        if distribution == "normal":
            weights = random.standard_normal((width, fan_in)) * np.sqrt(variance)
        else:
            limit = np.sqrt(3 * variance)
            weights = random.uniform(-limit, limit, (width, fan_in))
    return weights.astype(np.float32)
