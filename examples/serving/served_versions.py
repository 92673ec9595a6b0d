"""The versions of a SavedModel in a folder, of which the highest is served."""

import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

FILE = "saved_model.pb"
WARM_UP = "assets.extra/tf_serving_warmup_requests"
DEFAULT = "serving_default"


class ServedVersions:
    """A model as TensorFlow Serving has it by default: the highest version, until there is another.

    Args:
        name: of the model.
        folder: path of the folder that holds a folder for each version, named by its number.
    """

    def __init__(self, name, folder):
        self.name, self.folder = name, pathlib.Path(folder)
        self.current = None
        self.states = {}  # of each version that was seen "AVAILABLE" or "END"

    def refresh(self):
        """Loads the highest version if it is not the one that is served.

        The earlier one answers until then, and goes on where the new one cannot be loaded.
        """
        files = self.folder.glob(f"*/{FILE}")
        found = [int(file.parent.name) for file in files if file.parent.name.isdecimal()]
        number = max(found, default=None)
        if number is None or number in self.states:
            return
        try:
            version = ServedVersion(number, self.folder / str(number))
        except Exception as error:  # whatever is wrong with it, the earlier one answers
            print(f"Version {number} cannot be loaded: {error}", flush=True)
            self.states[number] = "END"
            return
        if self.current:
            self.states[self.current.number] = "END"
        self.current, self.states[number] = version, "AVAILABLE"

    def get(self, name, number=None):
        """The served version of a model.

        Args:
            name: of the model.
            number: of the version, or `None` for the one that is served.

        Raises:
            tf.errors.NotFoundError: if another model or another version is asked for.
        """
        current = self.current
        if current is None or name != self.name or number not in (None, current.number):
            wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise tf.errors.NotFoundError(None, None, f"Servable not found for request: {wanted}")
        return current

    def states_of(self, name, number=None):
        """Dict of the states of the versions of a model, or of one of them."""
        states = dict(self.states) if name == self.name else {}
        if number is not None:
            if number not in states:
                message = f"Could not find version {number} of model {name}"
                raise tf.errors.NotFoundError(None, None, message)
            return {number: states[number]}
        if not states:
            message = f"Could not find any versions of model {name}"
            raise tf.errors.NotFoundError(None, None, message)
        return states


class ServedVersion:
    """A loaded SavedModel, which has answered the requests for its warm-up where it has such.

    Args:
        number: of the version.
        folder: path.
    """

    def __init__(self, number, folder):
        self.number = number
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString((folder / FILE).read_bytes())
        self.signature_defs = saved.meta_graphs[0].signature_def
        self._model = tf.saved_model.load(str(folder))
        if (folder / WARM_UP).is_file():
            for record in tf.data.TFRecordDataset(str(folder / WARM_UP)):
                log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
                self._answer(log.predict_log.request)

    def inputs_of(self, endpoint):
        """Dict of the `tf.TensorSpec` of each input."""
        return self._function(endpoint).structured_input_signature[1]

    def predict(self, endpoint, inputs, wanted=()):
        """What an endpoint returns.

        Args:
            endpoint: name; an empty one is `"serving_default"`.
            inputs: dict of arrays.
            wanted: names of the outputs; all if there are none.

        Returns:
            A dict of arrays.

        Raises:
            tf.errors.OpError: if the request cannot be answered.
        """
        function = self._function(endpoint)
        specs = self.inputs_of(endpoint)
        if set(inputs) != set(specs):
            raise invalid(f"The inputs are {sorted(specs)}, but {sorted(inputs)} were sent")
        unknown = set(wanted) - set(function.structured_outputs)
        if unknown:
            raise invalid(f"output tensor alias not found in signature: {sorted(unknown)}")
        tensors = {name: _tensor(name, inputs[name], spec) for name, spec in specs.items()}
        outputs = function(**tensors)
        return {name: outputs[name].numpy() for name in wanted or sorted(outputs)}

    def _answer(self, request):
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        self.predict(request.model_spec.signature_name, inputs)

    def _function(self, endpoint):
        endpoint = endpoint or DEFAULT
        if endpoint not in self._model.signatures:
            message = f'Serving signature key "{endpoint}" not found.'
            raise tf.errors.FailedPreconditionError(None, None, message)
        return self._model.signatures[endpoint]


def invalid(message):
    """The error of a request that is not what the model takes."""
    return tf.errors.InvalidArgumentError(None, None, message)


def _tensor(name, array, spec):
    sent = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    if sent != spec.dtype or not spec.shape.is_compatible_with(array.shape):
        raise invalid(
            f"`{name}` is {spec.dtype.name} of shape {spec.shape}, but {sent.name} of shape "
            f"{array.shape} was sent"
        )
    return tf.constant(np.asarray(array), spec.dtype)
