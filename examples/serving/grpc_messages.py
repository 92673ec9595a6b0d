"""The messages of TensorFlow Serving's gRPC API that a client needs, without TensorFlow.

The official package, `tensorflow-serving-api`, has all of them, and imports all of TensorFlow for
the definition of one: a tensor. Here they are declared by the numbers that its files
(`predict.proto`, `model.proto`, `get_model_status.proto`, `tensor.proto`) give their fields, which
is all that is on the wire. Fields that are left out are skipped where they come.
"""

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Of each message its fields: number, type, and whether it is repeated. An enum is written as an
# int32, and a map as repeated entries.
MESSAGES = {
    "Dimension": {"size": (1, "int64")},
    "Shape": {"dim": (2, "Dimension", "repeated")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "Shape"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "float", "repeated"),
        "double_val": (6, "double", "repeated"),
        "int_val": (7, "int32", "repeated"),
        "string_val": (8, "bytes", "repeated"),
        "int64_val": (10, "int64", "repeated"),
        "bool_val": (11, "bool", "repeated"),
    },
    "NamedTensor": {"key": (1, "string"), "value": (2, "Tensor")},
    "Version": {"value": (1, "int64")},
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, "Version"),
        "signature_name": (3, "string"),
    },
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "NamedTensor", "repeated")},
    "PredictResponse": {"outputs": (1, "NamedTensor", "repeated"), "model_spec": (2, "ModelSpec")},
    "StatusRequest": {"model_spec": (1, "ModelSpec")},
    "VersionStatus": {"version": (1, "int64"), "state": (2, "int32")},
    "StatusResponse": {"model_version_status": (1, "VersionStatus", "repeated")},
}

AVAILABLE = 30  # the state of a version that answers

# TensorFlow's number of a dtype, and the field of its values.
DTYPES = {
    "float32": (1, "float_val"),
    "float64": (2, "double_val"),
    "int32": (3, "int_val"),
    "uint8": (4, "int_val"),
    "object": (7, "string_val"),  # strings of bytes
    "int64": (9, "int64_val"),
    "bool": (10, "bool_val"),
}
NAMES = {number: name for name, (number, _) in DTYPES.items()}


def _declared(package="keras_resample_example"):
    """The class of each message."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, *repeated) in fields.items():
            declared = message.field.add(name=field, number=number)
            declared.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in MESSAGES:
                declared.type, declared.type_name = kinds.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                declared.type = getattr(kinds, f"TYPE_{kind.upper()}")
    # A pool of its own, so that the official messages can be imported beside these.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in MESSAGES
    }


_classes = _declared()
ModelSpec, Version, Tensor = _classes["ModelSpec"], _classes["Version"], _classes["Tensor"]
PredictRequest, PredictResponse = _classes["PredictRequest"], _classes["PredictResponse"]
StatusRequest, StatusResponse = _classes["StatusRequest"], _classes["StatusResponse"]


def model_spec(name, version=None, endpoint=""):
    """The message that says which model, which version and which endpoint is asked."""
    number = None if version is None else Version(value=version)
    return ModelSpec(name=name, version=number, signature_name=endpoint)


def to_tensor(values):
    """The message of an array, or of a list of bytes."""
    if len(values) and isinstance(values[0], bytes):
        shape, content = (len(values),), {"string_val": values}
        number, _ = DTYPES["object"]
    else:
        array = np.ascontiguousarray(values)
        shape, content = array.shape, {"tensor_content": array.tobytes()}
        number, _ = DTYPES[array.dtype.name]
    return Tensor(dtype=number, tensor_shape={"dim": [{"size": n} for n in shape]}, **content)


def to_array(tensor):
    """The array of a message."""
    name = NAMES[tensor.dtype]
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, name).reshape(shape)
    values = np.array(getattr(tensor, DTYPES[name][1]), name)
    if 0 < len(values) < np.prod(shape):  # what ends with equal values may be cut after the first
        values = np.pad(values, (0, int(np.prod(shape)) - len(values)), mode="edge")
    return values.reshape(shape)
