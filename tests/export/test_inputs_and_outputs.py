"""Models with several inputs and outputs are served by names, on images of every kind."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.export.image_bytes import encoded, random_pixels
from tests.export.small_models import NATIVE, load, pooled
from tests.numerics import to_numpy

pytest.importorskip("tensorflow")

SIZE, POINTS = (14, 21), 3
ENDPOINTS = ["serving_default", "serve_uint8", "serve_bytes", "serve_jpeg"]
TINY = {"input_shape": (*SIZE, 1), "embedding_dim": 6, "num_keypoints": POINTS}


def vit():
    keras.utils.set_random_seed(0)
    size = {"width": 8, "depth": 1, "num_heads": 2}
    model = kr.models.KeypointViT(size, patch_size=7, data_format="channels_last", **TINY)
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(to_numpy(weight) + random.uniform(-0.3, 0.3, weight.shape))
    return model


def inputs_of(count, seed=0):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, *SIZE, 1), dtype="uint8")
    return pixels, random.random((count, POINTS, 2)).astype("float32")


def serve(model, endpoint, **inputs):
    import tensorflow as tf

    outputs = model.signatures[endpoint](**{name: tf.constant(x) for name, x in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.fixture(scope="module")
def model():
    return vit()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    """The SavedModel; written once, because PyTorch needs a process for it."""
    path = tmp_path_factory.mktemp("served") / "face" / "1"
    return kr.export.saved_model(model, path, normalize=True, check=False)


@pytest.fixture(scope="module")
def report(model, path):
    return kr.export.check(path, model, tolerance=1e-5)


def test_every_endpoint_takes_keypoints(report):
    endpoints = report["endpoints"]
    assert sorted(endpoints) == sorted(ENDPOINTS)
    shapes = {
        "serving_default": ("float32", [None, *SIZE, 1]),
        "serve_uint8": ("uint8", [None, None, None, 1]),
        "serve_bytes": ("string", [None]),
        "serve_jpeg": ("string", [None]),
    }
    for name, (dtype, shape) in shapes.items():
        assert endpoints[name]["inputs"] == {
            "images": {"dtype": dtype, "shape": shape},
            "keypoints": {"dtype": "float32", "shape": [None, POINTS, 2]},
        }
        assert endpoints[name]["outputs"] == {"embedding": {"dtype": "float32", "shape": [None, 6]}}


def test_keypoints_stay_with_their_images(model, path):
    """In requests that are batched, too."""
    served = load(path)
    pixels, points = inputs_of(5)
    files = [encoded(image[..., 0], "PNG", "L") for image in pixels]
    expected = to_numpy(
        model({"images": pixels.astype("float32") / 255, "keypoints": points}, training=False)
    )
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    images = pixels.astype("float32") / 255
    for endpoint, sent in (
        ("serving_default", images),
        ("serve_uint8", pixels),
        ("serve_bytes", files),
    ):
        found = serve(served, endpoint, images=sent, keypoints=points)["embedding"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        other = serve(served, endpoint, images=sent, keypoints=points[::-1].copy())["embedding"]
        assert np.abs(other - expected).max() > 1e-3


def test_a_request_with_a_keypoint_too_few_is_an_error(path):
    import tensorflow as tf

    pixels, points = inputs_of(2)
    files = [encoded(image[..., 0], "PNG", "L") for image in pixels]
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(load(path), "serve_bytes", images=files, keypoints=points[:1])


def test_check_takes_a_dict(model, path, report, monkeypatch):
    pixels, points = inputs_of(4, seed=3)
    given = {"images": pixels.astype("float32") / 255, "keypoints": points}
    kr.export.check(path, model, images=given, tolerance=1e-5)
    with pytest.raises(ValueError, match="a dict of images, keypoints. Received: .*points"):
        kr.export.check(path, model, images={"points": points})
    with pytest.raises(ValueError, match="`model` must have the inputs images, keypoints"):
        kr.export.check(path, pooled(SIZE, 1))


def two_outputs(structure):
    inputs = keras.Input((6, 8, 3))
    x = keras.layers.Flatten()(inputs)
    embedding, quality = keras.layers.Dense(4)(x), keras.layers.Dense(1)(x)
    outputs = {
        "dict": {"quality": quality, "embedding": embedding},
        "list": [embedding, quality],
        "one": {"embedding": embedding},
    }
    return keras.Model(inputs, outputs[structure])


def unchanged():
    inputs = keras.Input((6, 6, 3))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


@NATIVE
@pytest.mark.parametrize("structure", ["dict", "list", "one"])
def test_outputs_have_names(tmp_path, structure):
    model = two_outputs(structure)
    names = {"output_name": ("embedding", "quality")} if structure == "list" else {}
    path = kr.export.saved_model(model, tmp_path / "1", normalize=True, **names, check=False)
    report = kr.export.check(path, model, tolerance=1e-5)
    expected = {"embedding"} if structure == "one" else {"embedding", "quality"}
    for endpoint in ENDPOINTS:
        assert set(report["endpoints"][endpoint]["outputs"]) == expected
    pixels = random_pixels((6, 8))[None]
    images = pixels.astype("float32") / 255
    outputs = keras.tree.map_structure(to_numpy, model(images, training=False))
    if structure == "list":
        outputs = dict(zip(names["output_name"], outputs, strict=True))
    outputs["embedding"] = outputs["embedding"] / np.linalg.norm(outputs["embedding"])
    found = serve(load(path), "serve_uint8", images=pixels)
    for name in expected:
        np.testing.assert_allclose(found[name], outputs[name], rtol=0, atol=1e-5)


@NATIVE
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pixels_of_any_size_are_those_of_files(tmp_path, data_format):
    first = data_format == "channels_first"
    inputs = keras.Input((3, 6, 8) if first else (6, 8, 3))
    warp = kr.layers.FlowWarpDownsample(0.5, data_format=data_format)
    model = keras.Model(inputs, keras.layers.Flatten()(warp(inputs)))
    path = kr.export.saved_model(
        model, tmp_path / "1", data_format=data_format, scale=1 / 127.5, offset=-1, check=False
    )
    served = load(path)
    for size in ((6, 8), (13, 9), (3, 2)):
        pixels = np.stack([random_pixels(size, seed) for seed in range(3)])
        found = serve(served, "serve_uint8", images=pixels)["embedding"]
        files = [encoded(image, "PNG") for image in pixels]
        expected = serve(served, "serve_bytes", images=files)["embedding"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    images = random_pixels((6, 8))[None].astype("float32") / 127.5 - 1
    images = np.moveaxis(images, -1, 1) if first else images
    expected = to_numpy(model(images, training=False))
    found = serve(served, "serve_uint8", images=random_pixels((6, 8))[None])["embedding"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@NATIVE
def test_mirror_images_are_added_before_the_length_is_one(tmp_path):
    inputs = keras.Input((6, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.Flatten()(inputs)))
    path = kr.export.saved_model(model, tmp_path / "1", flip=True, normalize=True, check=False)
    images = np.random.default_rng(0).random((3, 6, 8, 3), dtype="float32")
    recognizer = kr.models.Recognizer(model, kr.heads.ArcFace(3))
    expected = recognizer.embed(images, flip=True)
    found = serve(load(path), "serving_default", images=images)["embedding"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    kr.export.check(path, model, tolerance=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_name": ("embedding",)}, "`output_name` must be a name for each of 2 outputs"),
        ({"output_name": ("a", "a")}, "`output_name` must be a Python identifier"),
        ({"output_name": ("a", "b c")}, "`output_name` must be a Python identifier"),
        ({"output_name": ("a", "b"), "flip": True}, "`flip` is for a model from images to"),
        ({"output_name": ("a", "b"), "normalize": 1}, "`normalize` must be True or False"),
        ({"model": unchanged(), "normalize": True}, "`normalize` is for embeddings"),
        ({"model": unchanged(), "normalize": True, "output_name": "map"}, "`normalize` is"),
        ({"output_name": ("a", "b"), "warm_up": "yes"}, "`warm_up` must be True or False"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    arguments = {"model": two_outputs("list"), "path": tmp_path / "1", **arguments}
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        kr.export.saved_model(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_inputs_need_names_and_one_of_images(tmp_path):
    first, second = keras.Input((6, 6, 3)), keras.Input((6, 6, 3))
    total = keras.layers.Flatten()(first + second)
    with pytest.raises(ValueError, match="`model` must have one input that is a batch of images"):
        kr.export.saved_model(keras.Model([first, second], total), tmp_path / "1")
    points = keras.Input((3,), name="face points")
    model = keras.Model([first, points], [first, points])
    with pytest.raises(ValueError, match="`model` must have inputs whose names are Python"):
        kr.export.saved_model(model, tmp_path / "1")
