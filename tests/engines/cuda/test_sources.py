"""The CUDA sources: NVIDIA's compiler takes them without a warning, and they number things as Python does."""

import re

import numpy as np
import pytest

from bnrenorm.engines import spec
from bnrenorm.engines.cuda import launches, packing, pixels, tensor_launches
from bnrenorm.engines.cuda.rows import Mode
from bnrenorm.network import schedule
from tests.engines.cuda import nvrtc

COMMON = (launches.FOLDER / "common.cuh").read_text(encoding="utf-8")
ARCHITECTURES = ("sm_75", "sm_80", "sm_90")  # T4 and later: the oldest that CUDA 13 compiles for, A100, H100

needs_nvrtc = pytest.mark.skipif(
    not nvrtc.paths(), reason="needs NVIDIA's compiler, of the wheel nvidia-cuda-nvrtc or a CUDA toolkit"
)


def assert_compiles(source, *options):
    messages, size = nvrtc.compile(source, (*launches.OPTIONS, "-ftz=true", *options))  # which CuPy adds
    assert messages.strip() == ""
    assert size > 0


@needs_nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernels_compile(dtype, architecture):
    assert_compiles(launches.source(dtype), f"-arch={architecture}")


@needs_nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("batch", "rows", "dtype"),
    [
        (4, 1, np.float32),
        *(pytest.param(*others, marks=pytest.mark.slow) for others in (
            (1, 1, np.float32), (10, 2, np.float32), (32, 2, np.float32), (1, 1, np.float64), (32, 2, np.float64)
        )),
    ],
)  # fmt: skip
def test_the_kernels_of_small_batches_compile(batch, rows, dtype, architecture):
    source = launches.source(dtype, (*launches.BEFORE, "small.cu"))
    assert_compiles(source, f"-arch={architecture}", f"-DN={batch}", f"-DROWS={rows}")


@needs_nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
@pytest.mark.parametrize(
    ("batch", "optimizer"),
    [
        (100, spec.SGD),
        *(pytest.param(100, code, marks=pytest.mark.slow) for code in (spec.MOMENTUM, spec.ADAM, spec.RMSPROP)),
        *(pytest.param(batch, spec.ADAM, marks=pytest.mark.slow) for batch in (1, 20, 128)),
    ],
)
def test_the_kernel_of_minibatches_compiles(batch, optimizer, architecture):
    """On GPUs whose tensor cores take bfloat16."""
    source = launches.source(np.float32, (*launches.BEFORE, "sweep.cu"))
    assert_compiles(source, f"-arch={architecture}", f"-DN={batch}", f"-DOPTIMIZER={optimizer}")


def test_compilers_may_not_contract():
    """Else bits of small batches depend on the size of the group, which a GPU alone can show."""
    assert "-fmad=false" in launches.OPTIONS


@needs_nvrtc
def test_what_does_not_compile_is_noticed():
    messages, size = nvrtc.compile(launches.source(np.float32) + "\nint f() { return nothing; }", launches.OPTIONS)
    assert size == 0
    assert "nothing" in messages


def enums():
    """Return the lists of names in the enums of common.cuh."""
    return [re.findall(r"\w+", names) for names in re.findall(r"^enum \{(.*?)\}", COMMON, re.MULTILINE)]


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["NONE", "BATCH", "LAYER"], [spec.NONE, spec.BATCH, spec.LAYER]),
        (["NODE", "SHARED", "FIXED"], [spec.NODE, spec.SHARED, spec.FIXED]),
        (["SGD", "MOMENTUM", "ADAM", "RMSPROP"], [spec.SGD, spec.MOMENTUM, spec.ADAM, spec.RMSPROP]),
        ([mode.name for mode in Mode], list(Mode)),
        (["R_MAX", "D_MAX", "LR", "AFFINE_LR", "COLUMNS"], [schedule.R_MAX, schedule.D_MAX, schedule.LR, schedule.AFFINE_LR, 4]),
        (["MEAN", "STD", "R_", "D_", "RUN_MEAN", "RUN_STD", "STATISTICS"], range(7)),
        (["SCALE", "SLOPE", "SHIFT", "COEFFICIENTS"], range(4)),
    ],
)  # fmt: skip
def test_numbers_are_pythons(names, values):
    assert names in enums()
    assert list(values) == list(range(len(names)))


def test_hyperparameters_are_in_pythons_order():
    (names,) = [names for names in enums() if names[-1] == "HYPER"]
    want = [field.upper() for field in spec.Hyperparams._fields]
    want[want.index("MOMENTUM")] = "MOMENTUM_OF"  # an optimizer has the name
    assert names == [*want, "HYPER"]


def test_every_enum_has_been_looked_at():
    assert len(enums()) == 8


def test_sizes_of_tensor_cores_are_pythons():
    assert f"const int PARTS = {pixels.PARTS}, TILE = {pixels.TILE};" in COMMON
    sweep = (launches.FOLDER / "sweep.cu").read_text(encoding="utf-8")
    assert f"const int STAGES = {tensor_launches.STAGES};" in sweep


def test_the_operands_of_a_sweeps_instructions_are_in_their_order():
    """An emulator runs other branches. A block waits for all copies but those of the newest STAGES - 2 tiles."""
    sweep = (launches.FOLDER / "sweep.cu").read_text(encoding="utf-8")
    product = [f"c[{i}]" for i in range(4)] + [f"x.a[{i}]" for i in range(4)] + ["b.x", "b.y"]
    assert re.findall(r'"\+?[flnr]"\(([^()]+)\)', sweep) == [*product, "address", "from", "STAGES - 2"]


def test_the_sizes_of_blocks_are_pythons():
    (line,) = re.findall(r"const int (WARP = .*);", COMMON)
    assert line == f"WARP = {packing.WARP}, LANES = {packing.LANES}, THREADS = WARP * LANES"
    assert packing.BLOCK == (packing.WARP, packing.LANES)
    assert packing.LINE == (packing.WARP * packing.LANES,)
