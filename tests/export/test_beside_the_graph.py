"""What lies beside the graph: requests to warm up with, the card, and who wrote it."""

import importlib.util
import sys
import warnings

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.export.contract import Contract
from tests.export.small_models import NATIVE, load, pooled

pytest.importorskip("tensorflow")

WARM_UP = "assets.extra/tf_serving_warmup_requests"
PROTOCOL = pytest.mark.skipif(
    not importlib.util.find_spec("tensorflow_serving"), reason="needs tensorflow-serving-api"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A SavedModel of every endpoint; written once, because PyTorch needs a process for it."""
    keras.utils.set_random_seed(0)
    trunk = kr.models.IResNet((1, 1), (4, 8), (8, 6, 3), 5, data_format="channels_last")
    network = kr.models.BTNet(trunk, [(4, 3)], data_format="channels_last")
    path = tmp_path_factory.mktemp("served") / "palm" / "1"
    return kr.export.saved_model(
        network, path, normalize=True, scale=1 / 127.5, offset=-1, check=False
    )


@PROTOCOL
def test_every_endpoint_answers_its_warm_up_requests(path):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    served, counts = load(path), {}
    for record in tf.data.TFRecordDataset(str(path / WARM_UP)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
        given = {key: tf.constant(value) for key, value in inputs.items()}
        (found,) = served.signatures[name](**given).values()
        counts.setdefault(name, []).append(len(found))
        assert np.isfinite(found.numpy()).all()
    assert counts == dict.fromkeys(Contract.read(path).endpoints, [1, 8])


@NATIVE
@PROTOCOL
def test_warm_up_can_be_left_out(tmp_path):
    path = kr.export.saved_model(pooled((6, 6)), tmp_path / "1", warm_up=False, check=False)
    assert not (path / WARM_UP).exists()
    path = kr.export.saved_model(pooled(), tmp_path / "2", endpoints="serving_default", check=False)
    assert not (path / WARM_UP).exists()
    with pytest.raises(ValueError, match="`warm_up` needs `image_size`.*Received: warm_up=True"):
        kr.export.saved_model(pooled(), tmp_path / "3", endpoints="serving_default", warm_up=True)


@NATIVE
def test_without_the_protocol_there_are_no_requests(tmp_path, monkeypatch):
    module = sys.modules["keras_resample.export.warm_up"]
    find = importlib.util.find_spec
    monkeypatch.setattr(
        module.importlib.util,
        "find_spec",
        lambda name: None if name == "tensorflow_serving" else find(name),
    )
    path = kr.export.saved_model(
        pooled((6, 6)), tmp_path / "1", endpoints="serving_default", check=False
    )
    assert not (path / WARM_UP).exists()
    with pytest.raises(ImportError, match=r"tensorflow-serving-api.*keras-resample\[serving\]"):
        kr.export.saved_model(pooled((6, 6)), tmp_path / "2", warm_up=True)


def test_the_card_says_what_a_client_needs(path):
    import tensorflow as tf

    text = (path / "MODEL_CARD.md").read_text()
    for words in (
        "# bt_net",
        "A SavedModel of a `BTNet` with ",
        f"tensorflow {tf.__version__}",
        f"keras {keras.version()}",
        "| `serving_default` | `images` float32 (batch, 8, 6, 3) | `embedding` float32 (batch, 5)",
        "| `embed_4x3` | `images` float32 (batch, 4, 3, 3) |",
        "| `embed_any_size` | `images` float32 (batch, any, any, 3) |",
        "| `serve_uint8` | `images` uint8 (batch, any, any, 3) |",
        "| `serve_bytes` | `images` string (batch) |",
        "black is -1 and white 1",
        "RGB, channels last",
        "8 x 6, 4 x 3",
        "at most 89,478,485 pixels",
        "`embedding` has length 1",
        f"tensorflow/serving:{tf.__version__}",
    ):
        assert words in text, text
    assert "mirror" not in text and "identity" not in text


def test_the_writer_is_recorded(path):
    import tensorflow as tf

    versions = Contract.read(path).versions
    assert versions["tensorflow"] == tf.__version__
    assert versions["keras_resample"] == kr.__version__


@NATIVE
def test_a_server_older_than_the_writer_is_named(tmp_path):
    import tensorflow as tf

    model = pooled((6, 6))
    path = kr.export.saved_model(model, tmp_path / "1", endpoints="serving_default", check=False)
    with pytest.warns(UserWarning, match=f"TensorFlow {tf.__version__} wrote.*Serving 2.3 is not"):
        report = kr.export.check(path, model, server="2.3")
    assert report["tensorflow_version"] == tf.__version__
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for server in (tf.__version__, "100.0"):
            kr.export.check(path, model, server=server)
    for server in ("new", 2, "2"):
        with pytest.raises(ValueError, match='`server` must be a version such as "2.20"'):
            kr.export.check(path, model, server=server)
