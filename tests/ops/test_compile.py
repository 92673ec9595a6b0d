"""What `torch.compile` makes of the operations: one graph, and no loop unrolled."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close

pytestmark = pytest.mark.backends("torch", reason="other backends have other compilers")

IMAGES = np.random.default_rng(0).uniform(size=(2, 8, 6, 3)).astype("float32")
GRID = np.random.default_rng(1).uniform(size=(1, 4, 3, 2)).astype("float32")
SALIENCY = np.random.default_rng(2).uniform(size=(2, 4, 5)).astype("float32")


def in_one_graph(fn, *arrays):
    """`fn` of tensors as one graph, which fails where Dynamo has to break it."""
    import torch

    torch._dynamo.reset()
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    return torch.compile(fn, backend="eager", fullgraph=True)(*tensors)


@pytest.mark.parametrize(
    "options",
    [
        {"antialias": True, "fill_mode": "constant"},
        {"interpolation": "nearest", "fill_mode": "reflect"},
    ],
    ids=str,
)
def test_sample(options):
    def fn(images, grid):
        return kr.ops.sample(images, grid, data_format="channels_last", **options)

    assert_close(in_one_graph(fn, IMAGES, GRID), fn(IMAGES, GRID), 1e-6)


@pytest.mark.parametrize(
    "fn, array",
    [
        (lambda grid: kr.ops.fold_penalty(kr.ops.resize_grid(grid, (7, 9)), corners=True), GRID),
        (lambda saliency: kr.ops.saliency_grid(saliency, sigma=1.5), SALIENCY),
        (lambda maps: kr.ops.edge_map(maps > 0.5), SALIENCY),
    ],
    ids=["grid", "saliency_grid", "edge_map"],
)
def test_the_others(fn, array):
    assert_close(in_one_graph(fn, array), fn(array), 1e-6)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_restoring_stays_out_of_the_graph(interpolation):
    """Its loops, unrolled, took five minutes to compile for these sizes."""
    import torch

    def fn(values, grid):
        return 2.0 * kr.ops.restore(values + 1.0, grid, (8, 6), interpolation, "channels_last")

    torch._dynamo.reset()
    values, grid = (keras.ops.convert_to_tensor(x) for x in (IMAGES[:, :4, :3], GRID))
    found = torch._dynamo.explain(fn)(values, grid)
    assert (found.graph_break_count, found.op_count) == (1, 2)
    assert_close(torch.compile(fn, backend="eager")(values, grid), fn(values, grid), 1e-6)
