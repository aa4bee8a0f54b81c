"""What is launched, without a GPU: kernels get the arguments that their source declares, in blocks that they are made for."""

import re
import sys
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from bnrenorm.engines.cuda import launches, packing, small_launches
from bnrenorm.engines.cuda.engine import CudaEngine
from bnrenorm.engines.cuda.graphs import Graphs, NotCaptured
from bnrenorm.engines.cuda.launches import Launches
from bnrenorm.engines.cuda.parameters import Tensor, Vector
from bnrenorm.engines.cuda.reference import Reference
from bnrenorm.engines.precision import to_double
from bnrenorm.engines.spec import BATCH, LAYER, NONE, SGD
from bnrenorm.network.schedule import AFFINE_LR
from bnrenorm.training import loop
from tests.engines.cuda.fake_launches import KERNELS, SOURCE, Both, Cupy
from tests.engines.cuda.kernels.cases import context_of, kernel_spec
from tests.engines.groups import SETTINGS, coarse_digits, group


class Products(Reference):
    """cuBLAS, by NumPy."""

    __call__ = Reference.product


@pytest.fixture(params=[np.float32, np.float64])
def cupy(request, monkeypatch):
    module = Cupy(request.param)
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(launches, "Products", lambda dtype, call: Products())
    launches.module.cache_clear()
    yield module
    launches.module.cache_clear()


def training_by_both(settings, batch, dtype, **more):
    training = loop.Training(group(settings, batch, 300, training__steps=3, **more), coarse_digits(300, 50))
    replicas, inputs = training.engine.replicas, training.engine.inputs
    if dtype == np.float64:
        to_double(replicas, inputs)
    training.engine = CudaEngine(replicas, inputs, ops=Both(dtype))
    return training


def train(settings, batch, dtype, **more):
    """Take three steps and a record by both; return the engine."""
    training = training_by_both(settings, batch, dtype, evaluation__every=3, **more)
    (record,) = list(filter(None, training))
    assert np.isfinite(record.values["test_loss"]).all()
    return training.engine


@pytest.mark.parametrize("name", SETTINGS)
def test_kernels_get_what_their_source_declares(cupy, monkeypatch, name):
    """By an epoch whose last batch is smaller."""
    monkeypatch.setattr(packing, "table_row", lambda vector: [0] * 10)  # NumPy's arrays have no address on a device
    engine = train(SETTINGS[name], "{kind: iid, size: 120, remainder: keep}", cupy.dtype)
    always = {"gather", "enter", "loss", "add_losses", "to_linear", "update_weights", "update_vectors"}
    by_tensor_cores = cupy.dtype == np.float32 and not engine.network.dropout.drops
    if cupy.dtype == np.float32:
        always.add("split")  # of weights, in evaluation
    if by_tensor_cores:
        always |= {"pack", "sweep"}  # of the larger batches
    of_norm = {
        NONE: set(),
        BATCH: {"statistics", "normalise", "upstream_sums", "coefficients", "diagnose"},
        LAYER: {"row_moments", "normalise", "upstream_sums", "coefficients", "row_gradients"},
    }
    dropout = {"normalise"} if engine.network.dropout.drops else set()
    assert set(cupy.seen) == always | of_norm[engine.spec.norm] | dropout
    sweep = [(*launches.OPTIONS, "-DN=120", f"-DOPTIMIZER={engine.spec.optimizer}")] * by_tensor_cores
    assert sorted(options for _, options in cupy.modules) == [launches.OPTIONS, *sweep]


@pytest.mark.parametrize("n", [1, 20])
@pytest.mark.parametrize("name", ["BRN", "no gamma", "none", "both decays"])
def test_kernels_of_small_batches_get_what_their_source_declares(cupy, monkeypatch, name, n):
    monkeypatch.setattr(packing, "table_row", lambda vector: [0] * 10)
    engine = train(SETTINGS[name], f"{{kind: iid, size: {n}}}", cupy.dtype, model__hidden="[30]")
    assert engine.small is not None
    assert set(cupy.seen) - {"first", "middle", "split"} <= {
        "gather",
        "enter",
        "statistics",
        "normalise",
        "loss",
        "add_losses",
        "diagnose",
    }  # a record
    code, options = next(module for module in cupy.modules if "middle(" in module[0])
    assert options == (*launches.OPTIONS, f"-DN={n}", "-DROWS=1")
    assert code.startswith(f"#define REAL {'double' if cupy.dtype == np.float64 else 'float'}\n")


@pytest.mark.parametrize(
    ("replicas", "width", "n", "rows", "at_once"),
    [(1, 400, 32, 1, 1), (10, 409, 32, 1, 1), (10, 410, 32, 4, 2), (10, 410, 9, 4, 2), (999, 400, 8, 4, 1)],
)
def test_a_warp_takes_several_rows_where_there_are_enough(replicas, width, n, rows, at_once):
    assert small_launches.rows_per_warp(replicas, width) == rows
    assert small_launches.rows_at_once(replicas, width, n) == at_once


def test_a_step_of_a_small_batch_is_two_launches(cupy):
    """But for a span's first, which multiplies its own batch; at the end it waits for the device."""
    training = training_by_both("norm: {kind: renorm}", "{kind: iid, size: 4}", cupy.dtype, model__hidden="[30]")
    training.engine.spans.length = 3
    training.engine.advance(0, 5, observe=False)
    assert cupy.seen == ["first", *["middle", "first"] * 3, "first", *["middle", "first"] * 2]
    assert cupy.waits[-1] == len(cupy.seen)


@pytest.mark.parametrize("cupy", [np.float32], indirect=True)
@pytest.mark.parametrize("name", ["BRN", "layer", "micro", "decay, average", "sgd", "adam", "rmsprop"])
def test_the_kernel_of_minibatches_gets_what_its_source_declares(cupy, monkeypatch, name):
    monkeypatch.setattr(packing, "table_row", lambda vector: [0] * 10)
    engine = train(SETTINGS[name], "{kind: iid, size: 50}", cupy.dtype)
    assert engine.batches.sweeps is not None
    assert [cupy.seen.count(name) for name in ("pack", "sweep")] == [3, 5]  # of two spans: two batches, then one
    assert cupy.seen.count("gather") == bool(engine.network.batch_norms)  # to compare the modes in
    (options,) = (options for code, options in cupy.modules if "sweep(" in code)
    assert options == (*launches.OPTIONS, "-DN=50", f"-DOPTIMIZER={engine.spec.optimizer}")


@pytest.mark.parametrize(("capability", "has_them"), [("75", False), ("80", True), ("89", True), ("120", True)])
def test_gpus_have_such_tensor_cores_since_8_0(cupy, capability, has_them):
    cupy.device.compute_capability = capability
    assert Launches(cupy.dtype).has_tensor_cores == has_them


def test_more_replicas_than_blocks_fill_a_gpu_have_one_each(cupy):
    replicas = packing.FILLING + 1
    hyper, schedule = np.zeros((replicas, 10), cupy.dtype), np.zeros((replicas, 4), cupy.dtype)
    context = context_of(kernel_spec(optimizer=SGD), hyper, schedule)
    tensor = Tensor(np.zeros((replicas, 2, 3), cupy.dtype), None, None, None)
    Launches(cupy.dtype).update_weights(tensor, np.zeros((replicas, 1, 2, 3), cupy.dtype), context)
    assert cupy.seen == ["update_weights"]  # the kernel has looked at its grid


@pytest.mark.parametrize("cupy", [np.float32], indirect=True)
def test_older_gpus_multiply_images_as_they_are(cupy, monkeypatch):
    monkeypatch.setattr(packing, "table_row", lambda vector: [0] * 10)
    cupy.device.compute_capability = "75"
    engine = train(SETTINGS["BRN"], "{kind: iid, size: 50}", cupy.dtype)
    assert (engine.batches.sweeps, engine.batches.pixels) == (None, None)
    assert not {"split", "pack", "sweep"} & set(cupy.seen)


class Address:
    """An array on a device, of which its address and its shape are known."""

    def __init__(self, ptr, *shape):
        self.data, self.shape = SimpleNamespace(ptr=ptr), shape


def test_the_table_of_vectors_has_the_fields_of_its_struct():
    """In the order of the source: addresses, of which some may be missing, and sizes."""
    fields = re.search(r"struct Vector \{(.*?)\};", SOURCE, re.DOTALL)[1]
    names = re.findall(r"(\w+)(?=[,;])", fields)
    assert names == ["p", "m", "s", "average", "g", "length", "pieces", "width", "column", "divisor"]
    assert re.findall(r"wide|real", fields) == ["real", "real", "wide"]  # all of 8 bytes
    tensor = Tensor(Address(10, 3, 1), None, Address(30, 3, 1), None)
    row = packing.table_row(Vector(tensor, Address(50, 3, 2, 7), AFFINE_LR, 7))
    assert row == [10, 0, 30, 0, 50, 1, 2, 7, AFFINE_LR, 7]


def test_a_list_of_vectors_lives_as_long_as_its_table(cupy, monkeypatch):
    """The table is found by the list's id, which another list could have later."""

    class Vectors(list):
        pass

    monkeypatch.setattr(packing, "table_row", lambda vector: [0] * 10)
    ops, vectors = Launches(cupy.dtype), Vectors([None])
    alive = weakref.ref(vectors)
    ops.update_vectors(vectors, context_of(kernel_spec(), *np.zeros((2, 2, 4), cupy.dtype)))
    del vectors
    assert alive() is not None


def dummies(name):
    """Return arguments of a kernel that are of its types."""
    return [None if kind.endswith("*") else np.int64(1) if kind == "wide" else 1 for kind, _ in KERNELS[name]]


def test_a_module_is_compiled_once_for_a_dtype_a_device_and_constants(cupy):
    for _ in range(2):
        ops = Launches(cupy.dtype)
        for name, file, constants in (
            ("enter", "", {}), ("loss", "", {}), ("first", "small.cu", {"N": 4}), ("middle", "small.cu", {"N": 4}),
            ("middle", "small.cu", {"N": 5}), ("sweep", "sweep.cu", {"N": 5, "OPTIMIZER": 2}),
        ):  # fmt: skip
            ops.launch(name, (1,), (256,), *dummies(name), file=file, **constants)
    want = [(), ("-DN=4",), ("-DN=5",), ("-DN=5", "-DOPTIMIZER=2")]
    assert [options[len(launches.OPTIONS) :] for _, options in cupy.modules] == want
    cupy.device.id = 1
    Launches(cupy.dtype).launch("enter", (1,), (256,), *dummies("enter"))
    assert len(cupy.modules) == len(want) + 1


def test_a_kernel_may_take_as_much_shared_memory_as_asked_for(cupy):
    ops = Launches(cupy.dtype)
    for batch, shared, want in ((32, 100_000, 100_000), (32, 90_000, 100_000), (4, 1000, 48 * 1024)):
        ops.launch("first", (1,), (256,), *dummies("first"), file="small.cu", shared=shared, N=batch)
        assert ops.functions["first", (("N", batch),)].max_dynamic_shared_size_bytes == want
    assert ops.shared_memory == 227 * 1024


@pytest.mark.parametrize("reason", ["", "RuntimeError: no"])
def test_a_step_is_made_again_as_a_graph_or_launch_by_launch(cupy, monkeypatch, reason):
    def captured(self, calls):
        if reason:
            raise NotCaptured(reason)
        assert [call.func.name for call in calls] == ["add_losses", "add_losses"]
        return lambda: cupy.seen.append("graph")

    monkeypatch.setattr(Graphs, "captured", captured)
    ops, partial, sums = Launches(cupy.dtype), np.zeros((2, 1, 2)), np.zeros((2, 2))
    again = ops.recorded(lambda: [ops.add_losses(partial, n, sums) for n in (3, 4)] and None)
    assert cupy.seen == ["add_losses"] * 2
    again()
    assert cupy.seen[2:] == (["add_losses"] * 2 if reason else ["graph"])
    assert ops.no_graph == reason
