"""The client of a server by its address, and how embeddings are compared."""

import time

import numpy as np
from grpc_client import GrpcClient
from rest_client import RestClient
from server_error import ServerError

CLIENTS = {"grpc": GrpcClient, "http": RestClient}
LOCAL = "grpc://localhost:8500"


def connect(server, model, version=None, timeout=10.0):
    """A client of a model.

    Args:
        server: `"grpc://host:port"` or `"http://host:port"`.
        model: name of the model.
        version: its number, or `None` for the one that the server takes by itself.
        timeout: seconds after which an answer is given up.
    """
    scheme, _, address = server.partition("://")
    if scheme not in CLIENTS or ":" not in address:
        raise ValueError(
            f"`server` must be grpc://host:port or http://host:port. Received: server={server!r}"
        )
    return CLIENTS[scheme](address, model, version, timeout)


def wait(client, seconds):
    """Waits until the model answers; a `ServerError` where it does not."""
    end = time.monotonic() + seconds
    while True:
        try:
            if client.versions():
                return
            problem = ServerError("NOT_FOUND", "no version of the model is loaded")
        except ServerError as error:
            problem = error
        if time.monotonic() > end:
            raise problem
        time.sleep(0.2)


def embed(client, endpoint, files, batch_size=32):
    """Embeddings (n, dim) of encoded images, of length 1, so that their products are cosines."""
    batches = [files[start : start + batch_size] for start in range(0, len(files), batch_size)]
    return unit(np.concatenate([client.predict(endpoint, images=batch) for batch in batches]))


def unit(embeddings):
    """Embeddings (n, dim) scaled to length 1."""
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
