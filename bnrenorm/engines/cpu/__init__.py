"""Training and evaluation compiled for a CPU: a whole step of one replica without leaving its core's cache.

`norm.formulas` and the Chainer engine are the specification; every kernel is tested against them.
"""

import os

# Where libsvml.so is found, as on many clusters with Intel's compilers, a numba that knows it computes exp and square
# roots by it: with other bits than elsewhere, and by kernels that end the process once the library is gone.
os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")
