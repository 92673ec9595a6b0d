"""The clients, the load and the local server of examples/serving, over the smallest SavedModel."""

import contextlib
import functools
import http.client
import json
import re
import select
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

import keras_resample as kr
from tests.example_scripts.notebooks import EXAMPLES
from tests.numerics import to_numpy

FOLDER = EXAMPLES / "serving"
tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_serving")
pytestmark = pytest.mark.backends("tensorflow", reason="a server runs TensorFlow's graph")
sys.path.append(str(FOLDER))  # where the scripts find each other

import ask  # noqa: E402
import clients  # noqa: E402
import grpc_messages  # noqa: E402
import load  # noqa: E402
import local_server  # noqa: E402
import served_versions  # noqa: E402
from server_error import ServerError  # noqa: E402

SECONDS = 300  # of a busy machine; a fault that hangs ends the test
READY = re.compile(r"Serving palm, version 1: gRPC on (\S+), REST on (\S+), process (\d+)")
SCHEMES = ("grpc", "http")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 3, activation="tanh", data_format="channels_last")(images)
    return keras.Model(images, keras.layers.Dense(5)(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("palm") / "1"
    return kr.export.saved_model(model, path, data_format="channels_last")


@pytest.fixture(scope="module")
def addresses(saved):
    """Where a server listens, by scheme, and its process.

    It began with version 1, has taken version 2 by itself, and ends when it is told to.
    """
    command = [sys.executable, str(FOLDER / "local_server.py"), "--model_name=palm"]
    command += [f"--model_base_path={saved.parent}", "--port=0", "--rest_api_port=0"]
    command += ["--file_system_poll_wait_seconds=0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert select.select([process.stdout], [], [], SECONDS)[0], "the server does not start"
        grpc, rest, pid = READY.match(process.stdout.readline()).groups()
        assert int(pid) == process.pid
        client = connect(f"grpc://{grpc}")
        assert client.versions() == [1]
        publish(saved, 2)
        end = time.monotonic() + SECONDS
        while client.versions() != [2]:
            assert time.monotonic() < end, "version 2 is not taken"
            time.sleep(0.1)
        client.close()
        yield {"grpc": f"grpc://{grpc}", "http": f"http://{rest}", "process": process}
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def publish(saved, number):
    """Another version beside a SavedModel, which appears complete."""
    shutil.copytree(saved, saved.parent / "unfinished")
    (saved.parent / "unfinished").rename(saved.with_name(str(number)))


def connect(address):
    return clients.connect(address, "palm", timeout=SECONDS)


@pytest.fixture(params=SCHEMES)
def client(request, addresses):
    client = connect(addresses[request.param])
    yield client
    client.close()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype="uint8")


@pytest.fixture(scope="module")
def expected(model, pixels):
    return to_numpy(model(pixels.astype("float32") / 255))


@pytest.fixture(scope="module")
def paths(pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def files(paths):
    return ask.read(paths)


def test_both_endpoints_give_what_the_model_gives(client, pixels, files, expected):
    assert client.versions() == [2]
    scaled = pixels.astype("float32") / 255
    for count in (1, len(files)):
        for endpoint, images in (("serving_default", scaled), ("serve_jpeg", files)):
            answer = client.predict(endpoint, images=images[:count])
            np.testing.assert_allclose(answer, expected[:count], rtol=0, atol=1e-5)


IMAGES = np.zeros((2, 8, 8, 3), "float32")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("wrong", "endpoint", "inputs", "words"),
    [
        ({"model": "face"}, "serving_default", {"images": IMAGES}, "not found.*Latest.face"),
        ({"version": 7}, "serving_default", {"images": IMAGES}, "not found.*Specific.palm, 7"),
        ({}, "serve_tiff", {"images": IMAGES}, '"serve_tiff" not found'),
        ({}, "serving_default", {"photos": IMAGES}, r"\['images'\], but \['photos'\] were sent"),
        ({}, "serving_default", {"images": IMAGES[:, 1:]}, r"of shape \(2, 7, 8, 3\) was sent"),
        ({}, "serving_default", {"images": [b"bytes"]}, "`images`"),
        ({}, "serve_jpeg", {"images": IMAGES[:, 0, 0, 0]}, "`images`"),
        ({}, "serve_jpeg", {"images": [b"no image"]}, "must be a file of one of: JPEG"),
        ({}, "serve_jpeg", {"images": [b""]}, "must be a file of one of: JPEG"),
    ],
)
def test_a_bad_request_gets_its_own_error(
    addresses, scheme, wrong, endpoint, inputs, words, files, expected
):
    bad = clients.connect(addresses[scheme], timeout=SECONDS, **{"model": "palm", **wrong})
    good = connect(addresses[scheme])
    with pytest.raises(ServerError, match=words) as raised:
        bad.predict(endpoint, **inputs)
    assert raised.value.refused
    not_found = "404" if scheme == "http" else "NOT_FOUND"
    assert (raised.value.status == not_found) == bool(wrong)
    for client in (good, bad) if not wrong else (good,):
        answer = client.predict("serve_jpeg", images=files)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/models/palm", None, 200, '"state": "AVAILABLE"'),
        ("/v1/models/palm/versions/1", None, 200, '"state": "END"'),
        ("/v1/models/palm/versions/2", None, 200, '"version": "2"'),
        ("/v1/models/palm/versions/3", None, 404, "Could not find version 3 of model palm"),
        (
            "/v1/models/palm/versions/1:predict",
            "{}",
            404,
            "not found for request: Specific(palm, 1",
        ),
        ("/v1/models/face", None, 404, "Could not find any versions of model face"),
        ("/v1/models/face/metadata", None, 404, "Servable not found for request: Latest"),
        ("/v1/models/palm:predict", None, 400, "Malformed request: GET"),
        ("/v1/models/palm", "{}", 400, "Malformed request: POST"),
        ("/v1/models/palm:predict", "{", 400, "JSON Parse error"),
        ("/v1/models/palm:predict", "[" * 100_000, 400, "JSON Parse error"),
        ("/v1/models/palm:predict", "[]", 400, "'instances' or with 'inputs'"),
        ("/v1/models/palm:predict", '{"instances": []}', 400, "at least one value"),
        ("/v1/models/palm:predict", '{"instances": [[1], [1, 2]]}', 400, "nested evenly"),
        ("/v1/models/palm:predict", '{"instances": ["1.0"]}', 400, "nested evenly"),
        ("/v1/models/palm:predict", '{"inputs": [null]}', 400, "nested evenly"),
        ("/v1/models/palm:predict", '{"inputs": 1, "signature_name": 1}', 400, "must be a string"),
    ],
)
def test_what_rest_says(addresses, path, body, status, words):
    found, answer = rest(addresses, path, body)
    assert found == status
    assert words in json.dumps(answer) if status == 200 else words in answer["error"]


def rest(addresses, path, body=None):
    connection = http.client.HTTPConnection(
        addresses["http"].removeprefix("http://"), timeout=SECONDS
    )
    with contextlib.closing(connection):
        connection.request("GET" if body is None else "POST", path, body)
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())


def test_rest_takes_rows_too(addresses, pixels, files, expected):
    """As `curl` would send them: without names, and with."""
    rows = (pixels.astype("float32") / 255).tolist()
    for instances in (rows, [{"images": row} for row in rows]):
        body = json.dumps({"instances": instances})
        status, answer = rest(addresses, "/v1/models/palm/versions/2:predict", body)
        assert status == 200
        np.testing.assert_allclose(answer["predictions"], expected, rtol=0, atol=1e-5)


def test_the_endpoints_are_described(addresses):
    client = connect(addresses["http"])
    (images,) = client.metadata()["serving_default"]["inputs"].values()
    assert images["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in images["tensor_shape"]["dim"]] == ["-1", "8", "8", "3"]


def test_the_official_package_understands_the_server(addresses, files, expected):
    """Requests and answers of `tensorflow-serving-api`, which the clients do without."""
    import grpc
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    with grpc.insecure_channel(addresses["grpc"].removeprefix("grpc://")) as channel:
        predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest(output_filter=["embedding"])
        request.model_spec.name, request.model_spec.signature_name = "palm", "serve_jpeg"
        request.inputs["images"].CopyFrom(tf.make_tensor_proto(files))
        response = predictions.Predict(request, timeout=SECONDS)
        answer = tf.make_ndarray(response.outputs["embedding"])
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)
        assert response.model_spec.version.value == 2
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "palm"
        metadata = predictions.GetModelMetadata(request, timeout=SECONDS).metadata["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert metadata.Unpack(signatures)
        assert {"serving_default", "serve_jpeg"} <= set(signatures.signature_def)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "palm"
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        states = models.GetModelStatus(request, timeout=SECONDS).model_version_status
        served = [state.version for state in states if state.state == state.AVAILABLE]
        assert served == [2] and grpc_messages.AVAILABLE == states[0].AVAILABLE


def test_messages_are_those_of_the_official_package():
    from tensorflow_serving.apis import predict_pb2

    spec = grpc_messages.model_spec("palm", 3, "serve_jpeg")
    for values in (np.arange(6.0).reshape(2, 3), np.ones((2, 2), "uint8"), [b"a\0", b""]):
        ours = grpc_messages.PredictRequest(model_spec=spec)
        ours.inputs.add(key="images", value=grpc_messages.to_tensor(values))
        official = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
        assert official.model_spec.version.value == 3
        assert official.model_spec.signature_name == "serve_jpeg"
        found = tf.make_ndarray(official.inputs["images"])
        np.testing.assert_array_equal(found, np.array(values, found.dtype))
        for sent in (official.inputs["images"], tf.make_tensor_proto(values)):
            again = grpc_messages.Tensor.FromString(sent.SerializeToString())
            np.testing.assert_array_equal(grpc_messages.to_array(again), found)
    ones = tf.make_tensor_proto(1.0, shape=(2, 3))  # one number stands for all
    again = grpc_messages.Tensor.FromString(ones.SerializeToString())
    np.testing.assert_array_equal(grpc_messages.to_array(again), np.ones((2, 3)))


def test_the_clients_do_without_tensorflow():
    code = "import ask, load, sys; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=FOLDER, check=True, timeout=SECONDS)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_images_are_embedded_verified_and_searched(
    addresses, scheme, paths, expected, tmp_path, capsys
):
    where = ["--server", addresses[scheme], "--model", "palm", "--timeout", str(SECONDS)]
    people = str(tmp_path / "people.npz")
    assert ask.main(["embed", *where, *paths, "--out", people, "--batch-size", "4"]) == 0
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    with np.load(people) as file:
        assert file["paths"].tolist() == paths
        np.testing.assert_allclose(file["embeddings"], unit, rtol=0, atol=1e-5)
    score = float(unit[0] @ unit[1])
    for threshold, status, answer in ((score - 0.01, 0, "same"), (score + 0.01, 3, "different")):
        capsys.readouterr()
        words = ["verify", *where, *paths[:2], "--threshold", str(threshold)]
        assert ask.main(words) == status
        printed = capsys.readouterr().out
        assert printed == f"{answer}, score {score:.4f}, threshold {threshold:.4f}\n"
    assert ask.main(["search", *where, people, paths[3], "--count", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"1.0000  {paths[3]}"
    nearest = np.argsort(-(unit @ unit[3]))[1]
    assert second.endswith(paths[nearest])


def test_what_cannot_be_asked_is_said(addresses, paths, tmp_path, capsys):
    note = tmp_path / "note.txt"
    note.write_text("no image")
    where = ["--server", addresses["http"], "--model", "palm", "--timeout", str(SECONDS)]
    pair = ["--threshold", "0.5", paths[0]]
    assert ask.main(["verify", *where, *pair, str(note)]) == 2
    assert ask.main(["verify", *where, *pair, "nowhere.png"]) == 2
    assert ask.main(["verify", "--server", "localhost", *pair, paths[1]]) == 2
    assert "must be grpc://host:port or http://host:port" in capsys.readouterr().err
    for scheme in SCHEMES:  # nobody listens there
        gone = ["--server", f"{scheme}://127.0.0.1:9", "--timeout", "5"]
        assert ask.main(["verify", *gone, *pair, paths[1]]) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_load_in_miniature_finds_nothing_wrong(
    addresses, scheme, paths, expected, tmp_path, capsys
):
    answers = str(tmp_path / "answers.npz")
    np.savez(answers, paths=np.array(paths), embeddings=expected)
    pid = addresses["process"].pid
    words = [answers, "--server", addresses[scheme], "--model", "palm", "--pid", str(pid)]
    words += [
        "--timeout",
        str(SECONDS),
        "--requests",
        "80",
        "--clients",
        "4",
        "--largest",
        "16",
        "--hostile",
        "0.3",
    ]
    assert load.main(words) == 0
    printed = capsys.readouterr().out
    assert "80 requests of 1 to 16 images by 4 clients" in printed
    right, refused = (int(re.search(rf"(\d+) {word}", printed)[1]) for word in ("right", "refused"))
    assert right + refused == 80 and refused > 10
    assert " 0 wrong" in printed and "0 failed" in printed and "; 0 accepted" in printed
    assert re.search(r"p50 \d+\.\d ms, p99 \d+\.\d ms", printed)
    assert re.search(r"memory \d+ MiB after 8 requests, \d+ MiB at the end", printed)


def test_a_load_finds_what_is_wrong(addresses, paths, expected, files):
    """Of a wrong row all requests that hold it, and of an endpoint that is not there all."""

    def outcomes(endpoint, expected, hostile_share=0.0):
        new_client = functools.partial(connect, addresses["grpc"])
        one = load.Load(new_client, endpoint, {"images": files}, expected, 8, hostile_share)
        return [outcome.kind for outcome in one.run(range(40), 2)]

    changed = expected.copy()
    changed[4] += 1e-3
    kinds = outcomes("serve_jpeg", changed)
    assert 0 < kinds.count("wrong") < 40
    assert kinds.count("wrong") + kinds.count("right") == 40
    assert set(outcomes("serve_jpeg", expected[:, :4])) == {"wrong"}
    assert set(outcomes("serve_tiff", expected)) == {"failed"}
    assert set(outcomes("serve_jpeg", expected, 1.0)) == {"refused"}


def test_a_load_of_arrays(addresses, pixels, expected, tmp_path):
    scaled = pixels.astype("float32") / 255
    np.savez(tmp_path / "answers.npz", images=scaled, embeddings=expected)
    inputs, answers = load.read(tmp_path / "answers.npz")
    new_client = functools.partial(connect, addresses["grpc"])
    one = load.Load(new_client, "serving_default", inputs, answers, 8, 0.3)
    assert {outcome.kind for outcome in one.run(range(20), 2)} == {"right", "refused"}


def test_a_version_that_cannot_be_loaded_changes_nothing(saved, tmp_path, files):
    shutil.copytree(saved, tmp_path / "1")
    (tmp_path / "notes").mkdir()
    versions = served_versions.ServedVersions("palm", tmp_path)
    versions.refresh()
    publish(tmp_path / "1", 2)
    (tmp_path / "2" / "saved_model.pb").write_bytes(b"broken")
    versions.refresh()
    assert versions.states == {1: "AVAILABLE", 2: "END"}
    assert versions.get("palm").number == 1
    publish(tmp_path / "1", 10)
    write_warm_up(tmp_path / "10", files)
    versions.refresh()
    assert versions.states == {1: "END", 2: "END", 10: "AVAILABLE"}
    with pytest.raises(tf.errors.NotFoundError, match="Specific.palm, 1"):
        versions.get("palm", 1)


def write_warm_up(path, images):
    """The request that a server answers itself before a version is served."""
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "serve_jpeg"
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(images))
    with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as file:
        file.write(log.SerializeToString())


def test_a_server_that_cannot_serve_ends(addresses, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(local_server.signal, "signal", lambda *_: None)
    assert local_server.main([f"--model_base_path={tmp_path}"]) == 1
    assert f"No version in {tmp_path} can be served." in capsys.readouterr().err
    taken = addresses["http"].rpartition(":")[2]
    words = [f"--model_base_path={saved.parent}", "--port=0", f"--rest_api_port={taken}"]
    assert local_server.main(words) == 1
    assert "A port cannot be had" in capsys.readouterr().err


def test_the_compose_file_is_of_the_official_image():
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    serving = services["serving"]
    assert serving["image"].startswith("tensorflow/serving:${TENSORFLOW:?")
    assert "enable_batching" not in serving["command"]
    mounted = dict(volume.split(":")[:2] for volume in serving["volumes"][1:])
    inside = mounted["./monitoring.config"]
    assert f"--monitoring_config_file={inside}" in serving["command"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    (scrape,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert f'path: "{scrape["metrics_path"]}"' in (FOLDER / "monitoring.config").read_text()


def test_the_program_of_the_readme_runs(addresses, paths, expected, tmp_path, monkeypatch):
    text = (FOLDER / "README.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for name, path in zip(("a.png", "b.png"), paths, strict=False):
        shutil.copy(path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    names = {}
    program = program.replace("grpc://localhost:8500", addresses["grpc"])
    exec(program.replace("timeout=5.0", f"timeout={SECONDS}"), names)
    unit = expected[:2] / np.linalg.norm(expected[:2], axis=1, keepdims=True)
    np.testing.assert_allclose(names["first"] @ names["second"], np.dot(*unit), atol=1e-5)


def test_the_readme_names_every_file():
    text = (FOLDER / "README.md").read_text()
    for path in FOLDER.iterdir():
        if path.suffix in (".py", ".yaml", ".yml", ".config"):
            assert f"`{path.name}`" in text
