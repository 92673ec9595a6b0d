"""Asks TensorFlow Serving by gRPC. It needs grpcio, protobuf and numpy."""

import grpc
from grpc_messages import (
    AVAILABLE,
    PredictRequest,
    PredictResponse,
    StatusRequest,
    StatusResponse,
    model_spec,
    to_array,
    to_tensor,
)
from server_error import ServerError

PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
# Else an answer of more than 4 MB is refused by the client.
ANY_LENGTH = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class GrpcClient:
    """A connection to a model of a server.

    Args:
        address: `"host:port"`; the port is 8500 in the official image.
        model: name of the model.
        version: its number, or `None` for the one that the server takes by itself.
        timeout: seconds after which an answer is given up.
    """

    def __init__(self, address, model, version=None, timeout=10.0):
        self.model, self.version, self.timeout = model, version, timeout
        self._channel = grpc.insecure_channel(address, options=ANY_LENGTH)
        self._predict = self._channel.unary_unary(
            PREDICT, PredictRequest.SerializeToString, PredictResponse.FromString
        )
        self._status = self._channel.unary_unary(
            STATUS, StatusRequest.SerializeToString, StatusResponse.FromString
        )

    def predict(self, endpoint, **inputs):
        """What an endpoint returns.

        Args:
            endpoint: its name, such as `"serve_jpeg"`.
            inputs: by their names arrays, or lists of the bytes of files.

        Returns:
            An array, or a dict of arrays by their names where there are several.
        """
        request = PredictRequest(model_spec=model_spec(self.model, self.version, endpoint))
        for name, values in inputs.items():
            request.inputs.add(key=name, value=to_tensor(values))
        response = self._ask(self._predict, request)
        outputs = {entry.key: to_array(entry.value) for entry in response.outputs}
        return outputs if len(outputs) > 1 else outputs.popitem()[1]

    def versions(self):
        """Numbers of the versions that answer."""
        response = self._ask(self._status, StatusRequest(model_spec=model_spec(self.model)))
        states = response.model_version_status
        return sorted(state.version for state in states if state.state == AVAILABLE)

    def close(self):
        """Ends the connection."""
        self._channel.close()

    def _ask(self, method, request):
        try:
            return method(request, timeout=self.timeout)
        except grpc.RpcError as error:
            raise ServerError(error.code().name, error.details()) from error
