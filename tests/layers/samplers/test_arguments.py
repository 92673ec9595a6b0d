"""Arguments of the samplers: numbers of any kind pass, booleans are no numbers."""

import json

import numpy as np
import pytest

import keras_resample as kr
from keras_resample import layers
from tests.numerics import to_numpy

THREE, HALF = np.int64(3), np.float32(0.5)


@pytest.mark.parametrize(
    "layer_class, plain, numpy",
    [
        (layers.GridSampler, {"factor": 0.5}, {"factor": HALF}),
        (layers.GridSampler, {"size": (3, 4)}, {"size": np.array([3, 4])}),
        (layers.GridSampler, {"size": (3, 3)}, {"size": [THREE, np.uint8(3)]}),
        (layers.UniformDownsample, {"factor": 1.0, "antialias": True},
         {"factor": THREE // 3, "antialias": np.True_}),
        (layers.SampleAt, {"fill_mode": "constant", "fill_value": 3},
         {"fill_mode": "constant", "fill_value": THREE}),
        (layers.FlowWarpDownsample, {"factor": 0.5, "smooth_weight": 3, "corner_penalty": False},
         {"factor": 0.5, "smooth_weight": THREE, "corner_penalty": np.False_}),
        (layers.SaliencySampler,
         {"factor": 0.5, "grid_size": (3, 4), "sigma": (0.5, 3), "radius": 3, "blur_steps": 3,
          "seed": 3},
         {"factor": 0.5, "grid_size": np.array([3, 4]), "sigma": np.array([0.5, 3]),
          "radius": THREE, "blur_steps": THREE, "seed": THREE}),
        (layers.SaliencySampler, {"factor": 0.5, "saliency_input_size": (3, 4), "sigma": 0.5},
         {"factor": 0.5, "saliency_input_size": np.array([3, 4]), "sigma": HALF}),
        (layers.DeformationModule, {"filters": (3,)}, {"filters": (THREE,)}),
        (layers.DeformationModule, {"filters": (3, 4)}, {"filters": np.array([3, 4])}),
        (layers.LearnedResizer, {"size": (3, 4), "filters": 3, "num_blocks": 3},
         {"size": np.array([3, 4]), "filters": THREE, "num_blocks": THREE}),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_of_numpy_are_those_of_python(layer_class, plain, numpy):
    found, expected = (layer_class(**a, name="a").get_config() for a in (numpy, plain))
    assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.mark.parametrize(
    "layer_class, name",
    [
        (layers.FlowWarpDownsample, "smooth_weight"),
        (layers.SampleAt, "fill_value"),
        (layers.SaliencySampler, "sigma"),
        (layers.SaliencySampler, "radius"),
        (layers.SaliencySampler, "blur_steps"),
        (layers.SaliencySampler, "seed"),
        (layers.LearnedResizer, "filters"),
        (layers.LearnedResizer, "num_blocks"),
    ],
)
@pytest.mark.parametrize("value", [True, np.True_, "3", 1j], ids=repr)
def test_what_is_no_number(layer_class, name, value):
    options = {} if layer_class is layers.SampleAt else {"size": (4, 4)}
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        layer_class(**options, **{name: value})


@pytest.mark.parametrize("value", [1, 0, "yes", None], ids=repr)
@pytest.mark.parametrize("name", ["antialias", "preserve_aspect_ratio", "corner_penalty"])
def test_what_is_neither_true_nor_false(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be True or False. Received: {name}="):
        layers.FlowWarpDownsample(size=(4, 4), **{name: value})


def test_sizes_of_the_operations():
    grid, size = kr.ops.uniform_grid(np.array([3, 4])), np.array([6, 8])
    assert tuple(grid.shape) == (1, 3, 4, 2)
    assert tuple(kr.ops.resize_grid(grid, size).shape) == (1, 6, 8, 2)
    assert tuple(kr.ops.grid_from_flow(np.zeros((3, 4, 2)), size).shape) == (1, 3, 4, 2)
    assert tuple(kr.ops.grid_from_boxes([[0.0, 0.0, 1.0, 1.0]], size).shape) == (1, 6, 8, 2)


def test_integers_are_filled_with_integers():
    labels = np.zeros((1, 2, 2, 1), "uint8")
    grid = kr.ops.uniform_grid((2, 2)) + 1.0
    options = {"fill_mode": "constant", "data_format": "channels_last"}
    for fill in (255, np.int64(255), 255.0):
        layer = layers.SampleAt("nearest", fill_value=fill, **options)
        found = kr.ops.sample(labels, grid, "nearest", fill_value=fill, **options)
        assert np.all(to_numpy(found) == 255) and np.all(to_numpy(layer(labels, grid)) == 255)
