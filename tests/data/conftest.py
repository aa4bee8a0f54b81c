import numpy as np
import pytest


@pytest.fixture
def arrays(rng):
    """Training and test images and labels of four classes."""
    return {
        "x_train": rng.integers(0, 256, (20, 3, 4), np.uint8),
        "y_train": np.arange(20, dtype=np.uint8) % 4,
        "x_test": rng.integers(0, 256, (8, 3, 4), np.uint8),
        "y_test": np.arange(8, dtype=np.uint8) % 4,
    }
