"""Edge maps against a loop, the published code's output and what must hold of every image."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close, to_numpy

GOLDENS = Path(__file__).parents[1] / "goldens" / "jin_edge.npz"


def random_labels(*shape, classes=5, seed=0):
    """Blocks of classes, so that there are flat regions and edges."""
    rng = np.random.default_rng(seed)
    batch, height, width = shape
    small = rng.integers(0, classes, (batch, height // 4 + 1, width // 4 + 1))
    return small.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width].astype("int32")


def blur_loop(image, sigma):
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-9)) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        size = image.shape[axis]
        image = sum(
            weight * image.take(np.clip(np.arange(size) + step, 0, size - 1), axis=axis)
            for step, weight in zip(range(-radius, radius + 1), weights, strict=True)
        )
    return image


def around(image, i, j):
    """The values of the pixel at (i, j) and its neighbours, the border repeated."""
    rows = np.clip([i - 1, i, i + 1], 0, image.shape[0] - 1)
    cols = np.clip([j - 1, j, j + 1], 0, image.shape[1] - 1)
    return image[np.ix_(rows, cols)]


def edge_loop(labels, sigma, binary):
    result = np.zeros(labels.shape)
    kernel = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    for n, image in enumerate(labels.astype("float64")):
        edges = np.zeros(image.shape)
        if binary:
            for i, j in np.ndindex(image.shape):
                edges[i, j] = np.any(around(image, i, j) != image[i, j])
            edges = blur_loop(edges, sigma)
        elif np.ptp(image):
            blurred = blur_loop((image - image.min()) / np.ptp(image), sigma)
            for i, j in np.ndindex(image.shape):
                edges[i, j] = np.sum(kernel * around(blurred, i, j))
        result[n] = np.clip(edges, 0, 1)
    return result


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("sigma", [0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("shape", [(2, 13, 18), (1, 1, 7), (1, 2, 1), (1, 5, 5)])
def test_edge_map_equals_the_loop(shape, sigma, binary):
    labels = random_labels(*shape)
    found = kr.ops.edge_map(labels, sigma, binary)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert_close(found, edge_loop(labels, sigma, binary), 1e-5)


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("sigma", [1, 2])
def test_published_edges(case, sigma):
    """Their blur is Pillow's, an approximation in 8 bits, and their frame is not filtered."""
    with np.load(GOLDENS) as golden:
        labels, edges = golden[f"c{case}_lr"], golden[f"c{case}_r{sigma}_edge_pil"]
    found = to_numpy(kr.ops.edge_map(labels[None], sigma))[0, 1:-1, 1:-1]
    expected = edges[1:-1, 1:-1]
    assert np.abs(found - expected).max() < 0.07
    assert np.abs(found - expected).mean() < 0.003
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("label", [0, 3, 255])
def test_one_class_has_no_edge(label, binary):
    labels = np.full((2, 9, 11), label, "uint8")
    assert not np.any(to_numpy(kr.ops.edge_map(labels, binary=binary)))


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    "move", [lambda x: x[:, ::-1], lambda x: x[:, :, ::-1], lambda x: x.transpose(0, 2, 1)]
)
def test_moves_with_the_image(move, binary):
    labels = random_labels(2, 12, 17)
    expected = move(to_numpy(kr.ops.edge_map(labels, binary=binary)))
    assert_close(kr.ops.edge_map(move(labels).copy(), binary=binary), expected, 1e-5)


def test_numbers_of_classes_weigh_edges_unless_binary():
    labels = np.zeros((1, 9, 30), "int32")
    labels[:, :, 10:20], labels[:, :, 20:] = 1, 3
    edges, binary = (to_numpy(kr.ops.edge_map(labels, 1.0, b))[0, 4] for b in (False, True))
    assert_close(edges[15:25].max(), 2 * edges[5:15].max(), 1e-5)
    assert_close(binary[5:15], binary[15:25], 1e-5)
    relabelled = np.array([7, 2, 0, 4])[labels]
    assert_close(kr.ops.edge_map(relabelled, binary=True)[0, 4], binary, 1e-6)


def test_scale_and_offset_of_the_numbers_do_not_matter():
    labels = random_labels(2, 12, 17)
    assert_close(kr.ops.edge_map(40 * labels + 7), kr.ops.edge_map(labels), 1e-5)


@pytest.mark.parametrize("binary", [False, True])
def test_ignored_pixels_make_no_edge(binary):
    labels = np.full((2, 16, 20), 2, "uint8")
    labels[0, 3:6, 4:9] = 255
    labels[1, :, :6] = 255
    found = kr.ops.edge_map(labels, binary=binary, ignore_class=255)
    assert_close(found, np.zeros(labels.shape), 1e-6)
    assert np.any(to_numpy(kr.ops.edge_map(labels, binary=binary)) > 0.1)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("ignore", [0, 255])
def test_edges_far_from_ignored_pixels_stay(binary, ignore):
    labels = random_labels(1, 16, 40, classes=3) + 1
    expected = to_numpy(kr.ops.edge_map(labels, binary=binary))
    labels[:, 9:, :8] = ignore
    found = to_numpy(kr.ops.edge_map(labels, binary=binary, ignore_class=ignore))
    assert_close(found[:, :, 14:], expected[:, :, 14:], 1e-5)
    assert not np.any(found[:, 9:, :8])
    everything = np.full((1, 6, 7), ignore)
    assert not np.any(to_numpy(kr.ops.edge_map(everything, binary=binary, ignore_class=ignore)))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "bool"])
def test_dtypes_of_labels(dtype):
    labels = random_labels(1, 8, 8, classes=2)
    assert_close(kr.ops.edge_map(labels.astype(dtype)), kr.ops.edge_map(labels), 1e-6)


@pytest.mark.parametrize("binary", [False, True])
def test_no_image_has_no_edges(binary):
    found = kr.ops.edge_map(np.zeros((0, 9, 14), "int32"), binary=binary, ignore_class=1)
    assert tuple(found.shape) == (0, 9, 14)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("options", [{}, {"binary": True}, {"ignore_class": 1}], ids=str)
def test_unknown_batch_and_size(options):
    import tensorflow as tf

    def fn(labels):
        return kr.ops.edge_map(labels, **options)

    traced = tf.function(fn, input_signature=[tf.TensorSpec([None, None, None], "int32")])
    for shape in [(2, 9, 14), (1, 1, 3), (0, 4, 5)]:
        labels = random_labels(*shape)
        assert_close(traced(labels), fn(labels), 1e-5)
    labels = random_labels(2, 9, 14)
    assert_close(tf.function(fn, jit_compile=True)(labels), fn(labels), 1e-5)


@pytest.mark.backends("jax")
def test_jit():
    import jax

    labels = random_labels(2, 9, 14)
    found = jax.jit(lambda labels: kr.ops.edge_map(labels, ignore_class=1))(labels)
    assert_close(found, kr.ops.edge_map(labels, ignore_class=1), 1e-5)


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4, 1), (2, 0, 4)])
def test_bad_labels(shape):
    with pytest.raises(ValueError, match="`labels` must .*Received: labels of shape"):
        kr.ops.edge_map(np.zeros(shape, "int32"))


@pytest.mark.parametrize("sigma", [-1, "1", None, True, float("nan")])
def test_bad_sigma(sigma):
    with pytest.raises(ValueError, match=f"`sigma` must .*Received: sigma={sigma!r}$"):
        kr.ops.edge_map(np.zeros((1, 4, 4), "int32"), sigma)
