"""A client who sends what is no image gets an error, and no other one notices."""

import concurrent.futures
import threading

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.export.image_bytes import encoded, large_png, random_pixels
from tests.export.small_models import NATIVE, load, pooled

pytest.importorskip("tensorflow")

OF_A_GRAPH = pytest.mark.backends(
    "tensorflow", "torch", reason="what JAX compiled takes one image at least"
)

CLIENTS, ROUNDS = 8, 12
GARBAGE = b"\x89PNG\r\n\x1a\nno image", b"", b"%PDF", large_png(20_000)


def operations(path):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    graphs = [graph.graph_def for graph in saved.meta_graphs]
    functions = [function for graph in graphs for function in graph.library.function]
    nodes = [*(graph.node for graph in graphs), *(function.node_def for function in functions)]
    return {node.op for group in nodes for node in group}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 16, 3))
    x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", data_format="channels_last")(x)
    model = keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Flatten()(x)))
    return kr.export.saved_model(model, tmp_path_factory.mktemp("served") / "1", check=False)


@pytest.fixture(scope="module")
def model(path):
    return load(path)


@pytest.fixture
def serve(model):
    """Function of the bytes of files that returns their embeddings."""
    import tensorflow as tf

    def call(files, endpoint="serve_bytes"):
        return model.signatures[endpoint](images=tf.constant(files, "string"))["embedding"].numpy()

    return call


@pytest.fixture
def embed(model):
    """Function of byte values that returns their embeddings, without a decoder or a batch."""
    import tensorflow as tf

    def call(pixels):
        images = tf.constant(pixels.astype("float32") / 255)
        return model.signatures["serving_default"](images=images)["embedding"].numpy()

    return call


def test_one_bad_client_of_eight(serve, embed):
    import tensorflow as tf

    barrier = threading.Barrier(CLIENTS)

    def client(number):
        found = []
        for turn in range(ROUNDS):
            count = 1 + (number + turn) % 4
            pixels = np.stack(
                [random_pixels(seed=1000 * number + 10 * turn + i) for i in range(count)]
            )
            files = [encoded(image, "PNG") for image in pixels]
            if number == 3:
                files[turn % count] = GARBAGE[turn % len(GARBAGE)]
            barrier.wait()
            try:
                found.append((pixels, serve(files)))
            except tf.errors.InvalidArgumentError as error:
                found.append((pixels, error))
        return found

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(client, range(CLIENTS)))
    for number, found in enumerate(answers):
        for pixels, answer in found:
            if number == 3:
                assert isinstance(answer, tf.errors.InvalidArgumentError)
            else:
                np.testing.assert_allclose(answer, embed(pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [pytest.param(0, marks=OF_A_GRAPH), 1, 3, 64, 65, 130])
def test_any_number_of_files(serve, embed, count):
    pixels = np.zeros((count, 12, 16, 3), "uint8")
    pixels[:] = np.arange(count)[:, None, None, None]
    found = serve([encoded(image, "PNG") for image in pixels])
    assert found.shape == (count, 6)
    np.testing.assert_allclose(found, embed(pixels), rtol=0, atol=1e-5)


def test_the_first_name_is_the_same_endpoint(model, serve):
    files = [encoded(random_pixels((30, 20), seed), "JPEG") for seed in range(3)]
    np.testing.assert_array_equal(serve(files), serve(files, "serve_jpeg"))
    first, second = (model.signatures[name] for name in ("serve_bytes", "serve_jpeg"))
    assert first.structured_outputs == second.structured_outputs
    assert first.structured_input_signature == second.structured_input_signature


def test_the_graph(path):
    found = operations(path)
    assert "BatchFunction" in found
    assert not [name for name in found if "Dataset" in name or "PyFunc" in name]


@NATIVE
def test_two_models_in_one_process_do_not_meet(tmp_path):
    """TensorFlow joins what is batched by the same name."""
    import tensorflow as tf

    models, served = [], []
    for number in range(2):
        keras.utils.set_random_seed(number)
        models.append(pooled((6, 6)))
        served.append(load(kr.export.saved_model(models[-1], tmp_path / f"{number}", check=False)))
    pixels = random_pixels((6, 6))
    file = tf.constant([encoded(pixels, "PNG")])

    def client(number):
        (found,) = served[number].signatures["serve_bytes"](images=file).values()
        return found.numpy()

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(client, [0, 1] * 40))
    for number, answer in enumerate(answers):
        expected = models[number % 2](pixels[None].astype("float32") / 255, training=False)
        expected = keras.ops.convert_to_numpy(expected)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)


@NATIVE
def test_requests_apart(tmp_path):
    model = pooled((6, 6))
    path = kr.export.saved_model(model, tmp_path / "1", batch_requests=False, check=False)
    assert "BatchFunction" not in operations(path)
    kr.export.check(path, model, tolerance=1e-5)


def test_batch_requests_is_a_switch(tmp_path):
    with pytest.raises(ValueError, match="`batch_requests` must be True or False"):
        kr.export.saved_model(pooled((6, 6)), tmp_path / "1", batch_requests=8)
