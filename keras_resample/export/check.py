"""Does a SavedModel do what the model does?"""

import json
import pathlib
import tempfile

import numpy as np

from keras_resample.export.contract import CONTRACT_FILE, Contract
from keras_resample.export.contract_of_model import input_signature, served_model
from keras_resample.export.file_check import RUNTIMES, check_file
from keras_resample.export.folders import SAVED_MODEL_FILE
from keras_resample.export.tensorflow_process import require_tensorflow, run_python
from keras_resample.export.trials import as_taken, of_bytes, trials_of

# Enough that a mix-up inside the batch shows.
NUM_RANDOM_IMAGES = 5


def check(path, model, images=None, tolerance=1e-4):
    """Loads a SavedModel without Keras and compares it with the model it was written from.

    A new process, in which neither Keras nor this package nor another framework can be imported,
    loads the SavedModel and runs its endpoints on one image and on all of them. `serve_bytes`
    gets the images as PNG files of 8 bits a channel. The endpoints of a `BTNet` get them at the
    resolutions of its branches, and between and above these.

    This is a test of the file, not of a server: TensorFlow Serving itself is not involved.

    The file of another format is run in such a process by its own runtime, on 1, 2 and 5 images or
    as many as it takes: ONNX Runtime, OpenVINO, LiteRT or PyTorch.

    Args:
        path: folder of the SavedModel, written by `keras_resample.export.saved_model`, or file
            written by `onnx`, `openvino`, `litert` or `torch`.
        model: the model, or a `Recognizer`, of which the encoder is compared.
        images: `(n, height, width, channels)` or channels-first, as the model takes them, in the
            range it was trained on, of a `BTNet` at the size of its trunk; `None` for five random
            images.
        tolerance: largest difference allowed, in units of the largest absolute output.

    Returns:
        A dict: `"endpoints"` maps each name to its `"inputs"` and `"outputs"` (each name to
        `"dtype"` and `"shape"`) and its `"largest_difference"`, in the units of `tolerance`;
        `"needs_xla"` says whether the server needs the XLA compiler (a native export of JAX does).

    Raises:
        ValueError: if there is no SavedModel at `path`, an endpoint or the named output is missing,
            it has other shapes or numbers than the model, or it holds a function that must be
            compiled by XLA.
        ImportError: if TensorFlow is not installed.
        RuntimeError: if the SavedModel cannot be loaded or run.

    Example:

    >>> import keras, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((16, 16, 3))
    >>> x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(images)
    >>> model = keras.Model(images, keras.layers.Dense(8)(keras.layers.Flatten()(x)))
    >>> path = kr.export.saved_model(model, tempfile.mkdtemp(), data_format="channels_last")
    >>> report = kr.export.check(path, model)
    >>> sorted(report["endpoints"])
    ['serve_bytes', 'serve_jpeg', 'serving_default']
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
    model = served_model(model)
    require_tensorflow("Checking a SavedModel")
    trials = trials_of(model, contract, _images(images, *input_signature(model), contract))
    report, outputs = _run(folder, trials)
    if report["must_compile"]:
        raise ValueError(
            "The SavedModel holds functions that a server without the XLA compiler refuses: "
            f"{report['must_compile']}. Received: path={str(path)!r}"
        )
    for endpoint in contract.endpoints:
        difference = max(
            _difference(f"{endpoint}/{contract.output_name}/{place}", trial.expected, outputs, path)
            for place, trial in enumerate(trials[endpoint])
        )
        if not difference <= tolerance:
            raise ValueError(
                f'The endpoint "{endpoint}" differs from the model by {difference:.3g}, more than '
                f"tolerance={tolerance:g}. Received: path={str(path)!r}"
            )
        report["endpoints"][endpoint]["largest_difference"] = difference
    return {"path": str(path), "tolerance": tolerance, **report}


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
            name = f"{endpoint}/{place}"
            if isinstance(trial.sent, list):
                arrays |= {f"{name}/{i}": image for i, image in enumerate(trial.sent)}
            else:
                arrays[name] = trial.sent
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
    for count in sorted({1, len(expected)}):
        served = outputs.get(f"{name}/{count}")
        shape = (count, *expected.shape[1:])
        if served is None or served.shape != shape:
            received = "none" if served is None else f"shape {served.shape}"
            raise ValueError(
                f'The endpoint "{endpoint}" must return "{output_name}" of shape {shape}, as the '
                f"model does, but returned {received}. Received: path={str(path)!r}"
            )
        difference = np.abs(served - expected[:count]) / unit
        # A NaN in both is no difference, a NaN in one of them the largest.
        agree = np.isnan(served) & np.isnan(expected[:count])
        difference = np.where(agree, 0.0, np.nan_to_num(difference, nan=np.inf))
        largest = max(largest, float(np.max(difference, initial=0.0)))
    return largest
