"""The REST API of TensorFlow Serving over served versions."""

import base64
import binascii
import http.server
import json
import re
import sys
from urllib.parse import unquote

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from grpc_service import SIGNATURES, metadata, status
from served_versions import invalid
from tensorflow_serving.apis import get_model_metadata_pb2

PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", re.IGNORECASE)
LOOK = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?", re.IGNORECASE)
# HTTP's numbers for the codes of TensorFlow's errors.
HTTP_CODES = {
    tf.errors.INVALID_ARGUMENT: 400,
    tf.errors.FAILED_PRECONDITION: 400,
    tf.errors.OUT_OF_RANGE: 400,
    tf.errors.NOT_FOUND: 404,
    tf.errors.RESOURCE_EXHAUSTED: 429,
    tf.errors.UNIMPLEMENTED: 501,
    tf.errors.UNAVAILABLE: 503,
    tf.errors.DEADLINE_EXCEEDED: 504,
}
FAILED = 500
SILENCE = 30.0  # seconds after which a connection is closed
B64 = {"b64"}


class RestServer(http.server.ThreadingHTTPServer):
    """Answers by REST.

    Args:
        address: `(host, port)`; port 0 is a free one.
        versions: a `ServedVersions`.
    """

    request_queue_size = 128

    def __init__(self, address, versions):
        super().__init__(address, Handler)
        self.versions = versions

    def handle_error(self, request, client_address):
        """Says what went wrong, but not that a client gave up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """A connection."""

    protocol_version = "HTTP/1.1"
    timeout = SILENCE
    disable_nagle_algorithm = True  # or the body waits until the headers were received

    def do_GET(self):
        self._answer(self._look, LOOK.fullmatch(self.path))

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        self.body = self.rfile.read(int(length)) if length.isdecimal() else b""
        self._answer(self._predict, PREDICT.fullmatch(self.path))

    def log_message(self, *args):
        """Says nothing: a load would drown in it."""

    def _answer(self, function, match):
        try:
            if not match:
                raise invalid(f"Malformed request: {self.command} {self.path}")
            name, number, *rest = match.groups()
            number = None if number is None else int(number)
            code, answer = 200, function(unquote(name), number, *rest)
        except tf.errors.OpError as error:
            code, answer = HTTP_CODES.get(error.error_code, FAILED), {"error": error.message}
        content = json.dumps(answer, indent=4).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _look(self, name, number, of_metadata):
        if not of_metadata:
            return _as_json(status(self.server.versions, name, number))
        response = metadata(self.server.versions, name, number)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURES].Unpack(signatures)
        return {
            "model_spec": _as_json(response.model_spec),
            "metadata": {SIGNATURES: _as_json(signatures)},
        }

    def _predict(self, name, number):
        version = self.server.versions.get(name, number)
        try:
            request = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise invalid(f"JSON Parse error: {error}") from error
        if not isinstance(request, dict) or len({"instances", "inputs"} & set(request)) != 1:
            raise invalid("The request has to be an object with 'instances' or with 'inputs'")
        endpoint = request.get("signature_name", "")
        if not isinstance(endpoint, str):
            raise invalid("'signature_name' key must be a string value")
        specs = version.inputs_of(endpoint)
        in_rows = "instances" in request
        columns = _columns(request["instances"], specs) if in_rows else request["inputs"]
        if not isinstance(columns, dict) or set(columns) == B64:
            if len(specs) > 1:
                raise invalid(f"The inputs are {sorted(specs)}, and have to be named")
            columns = dict.fromkeys(specs, columns)
        arrays = {
            key: _array(key, values, specs[key].dtype) if key in specs else None
            for key, values in columns.items()
        }
        outputs = {key: _values(array) for key, array in version.predict(endpoint, arrays).items()}
        if in_rows:
            return {"predictions": _rows(outputs)}
        return {"outputs": outputs if len(outputs) > 1 else outputs.popitem()[1]}


def _columns(rows, specs):
    """The inputs of rows: a list, or of rows with named inputs a dict of lists."""
    if not isinstance(rows, list) or not rows:
        raise invalid("'instances' has to be a list of at least one value")
    if not isinstance(rows[0], dict) or set(rows[0]) == B64:
        return rows
    if not all(isinstance(row, dict) and set(row) == set(specs) for row in rows):
        raise invalid(f"Each of 'instances' has to have the keys {sorted(specs)}")
    return {key: [row[key] for row in rows] for key in specs}


def _rows(outputs):
    if len(outputs) == 1:
        return outputs.popitem()[1]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]


def _array(name, values, dtype):
    """JSON values as an array of the dtype that an input has."""
    message = f"`{name}` has to be a list of {dtype.name} values, nested evenly"
    try:
        if dtype == tf.string:
            return _strings(values)
        array = np.array(values)
        converted = array.astype(dtype.as_numpy_dtype)
    except (AttributeError, TypeError, ValueError, KeyError, binascii.Error) as error:
        raise invalid(f"{message} ({error})") from error
    kinds = "iuf" if dtype.is_floating else "iu" if dtype.is_integer else "b"
    if array.dtype.kind not in kinds or (dtype.is_integer and (converted != array).any()):
        raise invalid(message)
    return converted


def _strings(values):
    if not isinstance(values, list):
        raise TypeError("not a list")
    array = np.empty(len(values), object)  # other strings of numpy would lose zeros at their ends
    for place, value in enumerate(values):
        is_file = isinstance(value, dict)
        array[place] = base64.b64decode(value["b64"], validate=True) if is_file else value.encode()
    return array


def _values(array):
    """An array as JSON values."""
    if array.dtype != object:
        return array.tolist()
    return [value.decode(errors="replace") for value in array.ravel()]


def _as_json(message):
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
