"""The gRPC API of TensorFlow Serving over served versions."""

import functools

import grpc
import numpy as np
import tensorflow as tf
from served_versions import DEFAULT, invalid
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

# The codes of TensorFlow's errors are those of gRPC.
CODES = {code.value[0]: code for code in grpc.StatusCode}
LONGEST_MESSAGE = 1024
SIGNATURES = "signature_def"


def answers(method):
    """Method of a service, made of one that raises TensorFlow's errors."""

    @functools.wraps(method)
    def answered(self, request, context):
        try:
            return method(self, request)
        except tf.errors.OpError as error:
            context.abort(CODES[error.error_code], error.message[:LONGEST_MESSAGE])

    return answered


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """`Predict` and `GetModelMetadata`; the rest is for models of another kind."""

    def __init__(self, versions):
        self.versions = versions

    @answers
    def Predict(self, request):
        spec = request.model_spec
        version = self.versions.get(*asked(spec))
        inputs = {name: _array(name, tensor) for name, tensor in request.inputs.items()}
        outputs = version.predict(spec.signature_name, inputs, tuple(request.output_filter))
        response = predict_pb2.PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version.number
        response.model_spec.signature_name = spec.signature_name or DEFAULT
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(_tensor(array))
        return response

    @answers
    def GetModelMetadata(self, request):
        if list(request.metadata_field) != [SIGNATURES]:
            raise invalid(f'The metadata field has to be "{SIGNATURES}"')
        return metadata(self.versions, *asked(request.model_spec))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`GetModelStatus`; models are not changed from outside."""

    def __init__(self, versions):
        self.versions = versions

    @answers
    def GetModelStatus(self, request):
        return status(self.versions, *asked(request.model_spec))


def asked(spec):
    """Name and version, or `None`, that a request asks for."""
    return spec.name, spec.version.value if spec.HasField("version") else None


def metadata(versions, name, number):
    """The message that describes the endpoints of a model."""
    version = versions.get(name, number)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version.number
    signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.signature_defs)
    response.metadata[SIGNATURES].Pack(signatures)
    return response


def status(versions, name, number):
    """The message that says which versions answer."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for seen, state in sorted(versions.states_of(name, number).items(), reverse=True):
        added = response.model_version_status.add(version=seen, state=state)
        added.status.SetInParent()
    return response


def _array(name, tensor):
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError, KeyError, MemoryError) as error:
        raise invalid(f"`{name}` is no tensor: {error}") from error


def _tensor(array):
    """The message of an array; floats one by one, as the official server writes them."""
    if array.dtype != np.float32:
        return tf.make_tensor_proto(array)
    shape = tf.TensorShape(array.shape).as_proto()
    number = tf.float32.as_datatype_enum
    return tensor_pb2.TensorProto(dtype=number, tensor_shape=shape, float_val=array.ravel())
