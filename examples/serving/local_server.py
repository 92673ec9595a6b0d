"""Answers as TensorFlow Serving does, for development machines and tests.

    python examples/serving/local_server.py --model_name=palm --model_base_path=served/palm

It has the gRPC and REST APIs (`Predict`, `GetModelMetadata`, `GetModelStatus`), the folders of
versions and these flags of the official server, over the same SavedModel, which TensorFlow runs in
Python. It has no monitoring and no batching, and it listens on this machine only. Ctrl-C or SIGTERM
ends it. Port 0 is a free port; the first line says which.
"""

import argparse
import os
import signal
import sys
import threading
from concurrent import futures

HOST = "127.0.0.1"
GRACE = 5.0  # seconds that running requests have at the end


def words():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_name", default="model", help="default: %(default)s")
    parser.add_argument("--model_base_path", required=True, help="folder of the versions")
    parser.add_argument("--port", type=int, default=8500, help="of gRPC (default: %(default)s)")
    parser.add_argument(
        "--rest_api_port", type=int, default=8501, help="of REST (default: %(default)s)"
    )
    parser.add_argument(
        "--file_system_poll_wait_seconds",
        type=float,
        default=1.0,
        help="between two looks at the folder (default: %(default)s)",
    )
    return parser


def main(arguments=None):
    options = words().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from rest_service import RestServer
    from served_versions import ServedVersions

    versions = ServedVersions(options.model_name, options.model_base_path)
    versions.refresh()
    if versions.current is None:
        print(f"No version in {options.model_base_path} can be served.", file=sys.stderr)
        return 1
    try:
        rest_server = RestServer((HOST, options.rest_api_port), versions)
        grpc_server, port = start_grpc(versions, options.port)
    except (OSError, RuntimeError) as error:
        print(f"A port cannot be had: {error}", file=sys.stderr)
        return 1
    answering = threading.Thread(target=rest_server.serve_forever, daemon=True)
    answering.start()
    print(
        f"Serving {versions.name}, version {versions.current.number}: gRPC on {HOST}:{port}, "
        f"REST on {HOST}:{rest_server.server_port}, process {os.getpid()}",
        flush=True,
    )
    while not stop.wait(options.file_system_poll_wait_seconds):
        versions.refresh()
    ended = grpc_server.stop(GRACE)
    rest_server.shutdown()
    rest_server.server_close()
    ended.wait(GRACE)
    return 0


def start_grpc(versions, port):
    """A gRPC server that answers, and its port."""
    import grpc
    from grpc_service import ModelService, PredictionService
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # a port that is in use is an error
    ]
    server = grpc.server(futures.ThreadPoolExecutor(4 * (os.cpu_count() or 1)), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(versions), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(versions), server)
    port = server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    return server, port


if __name__ == "__main__":
    sys.exit(main())
