"""Asks TensorFlow Serving by REST. It needs numpy, and nothing else."""

import base64
import http.client
import json
from urllib.parse import quote

import numpy as np
from server_error import ServerError

# What an idle connection says that the server has closed in the meantime.
CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class RestClient:
    """A connection to a model of a server; of one thread.

    Args:
        address: `"host:port"`; the port is 8501 in the official image.
        model: name of the model.
        version: its number, or `None` for the one that the server takes by itself.
        timeout: seconds after which an answer is given up.
    """

    def __init__(self, address, model, version=None, timeout=10.0):
        self._connection = http.client.HTTPConnection(address, timeout=timeout)
        self._model = f"/v1/models/{quote(model, safe='')}"
        self._version = "" if version is None else f"/versions/{version}"

    def predict(self, endpoint, **inputs):
        """What an endpoint returns.

        Args:
            endpoint: its name, such as `"serve_jpeg"`.
            inputs: by their names arrays, or lists of the bytes of files.

        Returns:
            A float32 array, or a dict of arrays by their names where there are several.
        """
        inputs = {name: _as_json(values) for name, values in inputs.items()}
        request = json.dumps({"signature_name": endpoint, "inputs": inputs})
        answer = self._ask("POST", f"{self._model}{self._version}:predict", request)
        outputs = answer["outputs"]
        if isinstance(outputs, dict):
            return {name: np.array(values, "float32") for name, values in outputs.items()}
        return np.array(outputs, "float32")

    def versions(self):
        """Numbers of the versions that answer."""
        states = self._ask("GET", self._model)["model_version_status"]
        return sorted(int(state["version"]) for state in states if state["state"] == "AVAILABLE")

    def metadata(self):
        """Of each endpoint the inputs and outputs, as the server describes them."""
        answer = self._ask("GET", f"{self._model}{self._version}/metadata")
        return answer["metadata"]["signature_def"]["signature_def"]

    def close(self):
        """Ends the connection."""
        self._connection.close()

    def _ask(self, method, path, body=None):
        try:
            status, text = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # or its next answer would be that of this request
            raise ServerError(type(error).__name__, str(error)) from error
        if status != http.client.OK:
            raise ServerError(str(status), _message(text))
        return json.loads(text)

    def _exchange(self, method, path, body):
        headers = {} if body is None else {"Content-Type": "application/json"}
        for once_more in (True, False):
            try:
                self._connection.request(method, path, body, headers)
                response = self._connection.getresponse()
                return response.status, response.read()
            except CLOSED:
                self._connection.close()
                if not once_more:
                    raise


def _as_json(values):
    if len(values) and isinstance(values[0], bytes):
        return [{"b64": base64.b64encode(file).decode()} for file in values]
    return np.asarray(values).tolist()


def _message(text):
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace")[:200]
