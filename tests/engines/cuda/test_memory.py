"""How much of a GPU's memory a group of the CUDA engine is expected to need."""

import numpy as np

from bnrenorm.engines.backend import Backend
from bnrenorm.engines.cuda import evaluator, spans, workspace
from bnrenorm.engines.cuda.rows import divide
from bnrenorm.engines.spec import BATCH
from tests.engines.cuda.kernels.cases import kernel_spec
from tests.helpers import need_of

CUDA = Backend("cuda", "cuda:0")


def test_micro_batches_and_an_epochs_last_batch_take_memory_of_a_gpu():
    whole, micro, rest = (
        need_of(f"training: {{batch: {batch}}}", CUDA).per_replica
        for batch in (
            "{kind: iid, size: 1200}",
            "{kind: iid, size: 1200}, micro_batch: 2",
            "{kind: iid, size: 1200, remainder: keep}",
        )
    )
    assert micro - whole > 600 * (6 + 3 + 2) * 400 * 4
    assert rest - whole > 800 * 3 * 400 * 4


def test_a_gpu_holds_what_its_tensor_cores_take():
    """Images and weights of 6 bytes a number, rows of which have a multiple of 8; so have a batch and its gradients."""

    def scratch(width, n, *, learning):
        shape = (784, width, 10), divide(n), kernel_spec(BATCH)
        return workspace.bytes_of(np.float32, *shape, drops=False, learning=learning)

    small, large, wide = (
        need_of(f"model: {{hidden: [{width}]}}\ntraining: {{batch: {n}}}", CUDA)
        for width, n in ((100, 1000), (100, 1001), (101, 1000))
    )
    without = 4 * 784 * 2500 + evaluator.BUDGET + spans.BYTES + 232 * 2**20
    assert small.fixed == without + 6 * 784 * 2500
    # of an image: inputs and outputs of the layer, its gradient, logits, whether it is right; a batch's share of pieces
    row = 4 * (3 * 100 + 10) + 1
    assert large.per_replica - small.per_replica == row + 4 * 784 + 6 * 784 + 6 * 104
    node = sum(
        sign * scratch(width, 1000, learning=True) + sign * scratch(width, 200, learning=False)
        for sign, width in ((1, 101), (-1, 100))
    )
    assert wide.per_replica - small.per_replica == node + 3 * 4 * 794 + 6 * 784
    held = scratch(100, 1000, learning=True) + scratch(100, 200, learning=False) + 256 * 2 * 4 * 4  # and two schedules
    images = 4 * 784 * (1000 + 200) + 6 * 784 * (1000 + 100) + 6 * 104 * 1000
    assert small.per_replica == held + images + 3 * 4 * (784 * 100 + 100 * 10)
