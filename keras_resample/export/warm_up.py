"""Requests that TensorFlow Serving runs before it answers any: the first ones are slow."""

import importlib.util
import pathlib

import numpy as np

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
# Images of a request: alone, and in a batch.
COUNTS = (1, 8)


def as_warm_up(warm_up, contract):
    """Whether requests are written: `warm_up`, or for `None` where they can be.

    Raises:
        ImportError: where they are wanted and TensorFlow Serving's protocol is not installed.
        ValueError: where they are wanted of images whose size nobody knows.
    """
    installed = importlib.util.find_spec("tensorflow_serving") is not None
    if warm_up and not installed:
        raise ImportError(
            "Warm-up requests need tensorflow-serving-api. Install it with: "
            'pip install "keras-resample[serving]", or pass warm_up=False'
        )
    if warm_up and contract.image_size is None:
        raise ValueError(
            "`warm_up` needs `image_size` where the input size of the model is unknown. "
            f"Received: warm_up={warm_up!r}, image_size=None"
        )
    return installed and contract.image_size is not None if warm_up is None else warm_up


def write_warm_up(folder, contract):
    """Writes requests to each endpoint into the SavedModel at `folder`.

    Args:
        folder: path of the folder.
        contract: a `Contract` with an `image_size`.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    with tf.io.TFRecordWriter(str(pathlib.Path(folder) / WARM_UP_FILE)) as writer:
        for endpoint in contract.endpoints:
            for count in COUNTS:
                request = predict_pb2.PredictRequest()
                request.model_spec.signature_name = endpoint
                for name, (shape, dtype) in contract.inputs_of(endpoint).items():
                    value = _file(contract) if dtype == "string" else _zeros(shape, dtype, contract)
                    values = np.stack([value] * count)
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
                log = prediction_log_pb2.PredictLog(request=request)
                record = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(record.SerializeToString())


def _zeros(shape, dtype, contract):
    """One image, or what is beside it, of a shape whose unknown sides are those of the contract."""
    sizes = iter(contract.image_size)
    return np.zeros([next(sizes) if side is None else side for side in shape[1:]], dtype)


def _file(contract):
    """A black image, encoded."""
    import tensorflow as tf

    image = np.zeros((*contract.image_size, contract.channels), "uint8")
    return np.array(tf.io.encode_png(image).numpy(), dtype=object)
