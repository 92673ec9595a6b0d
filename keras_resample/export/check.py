"""Does a SavedModel do what the model does?"""

import json
import pathlib
import re
import tempfile
import warnings

import numpy as np

from keras_resample.export.contract import CONTRACT_FILE, Contract
from keras_resample.export.contract_of_model import inputs_of, served_model
from keras_resample.export.file_check import RUNTIMES, check_file
from keras_resample.export.folders import SAVED_MODEL_FILE
from keras_resample.export.served_process import counts_of
from keras_resample.export.system_ops import SERVING, refused_by
from keras_resample.export.tensorflow_process import require_tensorflow, run_python
from keras_resample.export.trials import as_taken, of_bytes, trials_of

# Enough that a mix-up inside the batch shows.
NUM_RANDOM_IMAGES = 5


def check(path, model, images=None, tolerance=1e-4, server=None):
    """Loads a SavedModel without Keras and compares it with the model it was written from.

    A new process, in which neither Keras nor this package nor another framework can be imported,
    loads the SavedModel and runs its endpoints on one image, on three, and on all of them.
    `serve_bytes` gets the images as PNG files of 8 bits a channel. The endpoints of a `BTNet` get
    them at the resolutions of its branches, and between and above these.

    This is a test of the file, not of a server: TensorFlow Serving itself is not involved.

    The file of another format is run in such a process by its own runtime, on 1, 2 and 5 images or
    as many as it takes: ONNX Runtime, OpenVINO, LiteRT or PyTorch.

    Args:
        path: folder of the SavedModel, written by `keras_resample.export.saved_model`, or file
            written by `onnx`, `openvino`, `litert` or `torch`.
        model: the model, or a `Recognizer`, of which the encoder is compared.
        images: `(n, height, width, channels)` or channels-first, as the model takes them, in the
            range it was trained on, of a `BTNet` at the size of its trunk; of a model with several
            inputs a dict of such arrays. `None` for five random images.
        tolerance: largest difference allowed, in units of the largest absolute output.
        server: version of TensorFlow Serving, such as `"2.20"`, that is to run it. Below the
            version of TensorFlow that wrote it, there is a warning: a server is promised to read
            only what its own TensorFlow or an older one wrote.

    Returns:
        A dict: `"endpoints"` maps each name to its `"inputs"` and `"outputs"` (each name to
        `"dtype"` and `"shape"`), its `"largest_difference"`, in the units of `tolerance`, its
        `"operations"`, those of them that TensorFlow Serving, XLA or LiteRT are known to refuse
        (`"refused_by"`, lists by these names), and `"milliseconds"` of a call by its number of
        images, on the CPU of this machine;
        `"needs_xla"` says whether the server needs the XLA compiler (a native export of JAX does);
        `"tensorflow_version"` is that of the writer.

    Raises:
        ValueError: if there is no SavedModel at `path`, an endpoint or the named output is missing,
            it has other shapes or numbers than the model, or it holds what TensorFlow Serving
            refuses, such as Python code and functions that must be compiled by XLA.
        ImportError: if TensorFlow is not installed.
        RuntimeError: if the SavedModel cannot be loaded or run.

    Example:

    >>> import keras, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((16, 16, 3))
    >>> x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(images)
    >>> model = keras.Model(images, keras.layers.Dense(8)(keras.layers.Flatten()(x)))
    >>> path = kr.export.saved_model(model, tempfile.mkdtemp(), check=False)
    >>> report = kr.export.check(path, model)
    >>> sorted(report["endpoints"])
    ['serve_bytes', 'serve_jpeg', 'serve_uint8', 'serving_default']
    >>> report["endpoints"]["serve_jpeg"]["outputs"]
    {'embedding': {'dtype': 'float32', 'shape': [None, 8]}}
    """
    if pathlib.Path(path).suffix in RUNTIMES:
        return check_file(path, model, images, tolerance)
    folder = pathlib.Path(path)
    if not (folder / SAVED_MODEL_FILE).is_file() or not (folder / CONTRACT_FILE).is_file():
        raise ValueError(
            "`path` must be a folder written by keras_resample.export.saved_model. "
            f"Received: path={str(path)!r}"
        )
    contract = Contract.read(folder)
    server = as_version(server)
    model = served_model(model)
    require_tensorflow("Checking a SavedModel")
    inputs = _inputs(images, inputs_of(model), contract)
    trials = trials_of(model, contract, inputs.pop(contract.image_name), inputs)
    report, outputs = _run(folder, trials)
    if report["must_compile"]:
        raise ValueError(
            "The SavedModel holds functions that a server without the XLA compiler refuses: "
            f"{report['must_compile']}. Received: path={str(path)!r}"
        )
    _warn_of_older(server, report["tensorflow_version"])
    for found in report["endpoints"].values():
        found["refused_by"] = refused_by(found["operations"])
        if found["refused_by"][SERVING]:
            raise ValueError(
                "The SavedModel holds operations that TensorFlow Serving refuses: "
                f"{found['refused_by'][SERVING]}. Received: path={str(path)!r}"
            )
    for endpoint in contract.endpoints:
        difference = max(
            _difference(f"{endpoint}/{name}/{place}", expected, outputs, path)
            for place, trial in enumerate(trials[endpoint])
            for name, expected in trial.expected.items()
        )
        if not difference <= tolerance:
            raise ValueError(
                f'The endpoint "{endpoint}" differs from the model by {difference:.3g}, more than '
                f"tolerance={tolerance:g}. Received: path={str(path)!r}"
            )
        report["endpoints"][endpoint]["largest_difference"] = difference
    return {"path": str(path), "tolerance": tolerance, **report}


def as_version(server):
    """A version of TensorFlow Serving as `(major, minor)`, or `None`."""
    found = re.fullmatch(r"(\d+)\.(\d+)(\..*)?", server) if isinstance(server, str) else None
    if server is not None and found is None:
        raise ValueError(f'`server` must be a version such as "2.20". Received: {server=}')
    return found and (int(found[1]), int(found[2]))


def _warn_of_older(server, writer):
    if server is not None and server < as_version(writer):
        warnings.warn(
            f"TensorFlow {writer} wrote the SavedModel, and TensorFlow Serving "
            f"{'.'.join(map(str, server))} is not promised to read what a newer TensorFlow wrote: "
            "run a server of that version, or export with an older TensorFlow.",
            stacklevel=3,
        )


def _inputs(images, inputs, contract):
    """A batch for each input of a model, by its name: what is given, or random values."""
    name = contract.image_name
    if list(inputs) != list(contract.input_names):
        raise ValueError(
            f"`model` must have the inputs {', '.join(contract.input_names)}, as that of the "
            f"SavedModel. Received: a model with {', '.join(inputs)}"
        )
    given = images if isinstance(images, dict) else {name: images}
    if not set(given) <= set(inputs):
        raise ValueError(
            f"`images` must be a batch of images, or a dict of {', '.join(inputs)}. "
            f"Received: {', '.join(map(str, given))}"
        )
    found = {name: _images(given.get(name), *inputs[name], contract)}
    random = np.random.default_rng(1)
    for other, (shape, dtype) in inputs.items():
        if other == name:
            continue
        values = given.get(other)
        if values is None:
            sides = [3 if side is None else side for side in shape[1:]]
            values = random.random((len(found[name]), *sides))
        found[other] = np.asarray(values).astype(dtype)
    return found


def _images(images, shape, dtype, contract):
    if images is None:
        size = contract.image_size
        if size is None:
            raise ValueError(
                f"`images` is needed for a model of unknown input size, {shape}. "
                "Received: images=None"
            )
        random = np.random.default_rng(0)
        values = random.integers(0, 256, (NUM_RANDOM_IMAGES, *size, contract.channels))
        return as_taken(of_bytes(values, contract), contract)
    images = np.asarray(images)
    fits = len(images.shape) == 4 and len(images) > 0
    if not fits or any(
        n not in (None, given) for n, given in zip(shape[1:], images.shape[1:], strict=True)
    ):
        raise ValueError(
            f"`images` must be at least one image of the model's input shape, {shape}. "
            f"Received: images of shape {images.shape}"
        )
    return images.astype(dtype)


def _run(folder, trials):
    script = pathlib.Path(__file__).with_name("served_process.py")
    arrays = {}
    for endpoint, batches in trials.items():
        for place, trial in enumerate(batches):
            for key, values in trial.inputs.items():
                name = f"{endpoint}/{place}/{key}"
                if isinstance(values, list):
                    arrays |= {f"{name}/{i}": image for i, image in enumerate(values)}
                else:
                    arrays[name] = values
    with tempfile.TemporaryDirectory() as temporary:
        request = pathlib.Path(temporary) / "request.npz"
        np.savez(request, **arrays)
        status, errors = run_python(["-P", str(script), str(folder), str(request), temporary])
        if status:
            raise RuntimeError(
                f"The SavedModel could not be loaded and run. Received: path={str(folder)!r}. "
                f"The process ended with:\n{errors}"
            )
        report = json.loads((pathlib.Path(temporary) / "report.json").read_text("utf-8"))
        with np.load(pathlib.Path(temporary) / "outputs.npz") as file:
            return report, dict(file)


def _difference(name, expected, outputs, path):
    """Largest difference over the batch sizes, in units of the largest absolute output."""
    endpoint, output_name, _ = name.split("/")
    expected = expected.astype("float32")
    unit = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))) or 1.0
    largest = 0.0
    for count in counts_of(len(expected)):
        served = outputs.get(f"{name}/{count}")
        shape = (count, *expected.shape[1:])
        if served is None or served.shape != shape:
            received = "none" if served is None else f"shape {served.shape}"
            raise ValueError(
                f'The endpoint "{endpoint}" must return "{output_name}" of shape {shape}, as the '
                f"model does, but returned {received}. Received: path={str(path)!r}"
            )
        served = served.astype("float32")
        difference = np.abs(served - expected[:count]) / unit
        # A NaN in both is no difference, a NaN in one of them the largest.
        agree = np.isnan(served) & np.isnan(expected[:count])
        difference = np.where(agree, 0.0, np.nan_to_num(difference, nan=np.inf))
        largest = max(largest, float(np.max(difference, initial=0.0)))
    return largest
