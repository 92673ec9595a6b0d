"""Does a file of another runtime do what the model does?"""

import importlib.util
import json
import pathlib
import tempfile

import numpy as np

from keras_resample.export.contract_of_model import served_model
from keras_resample.export.file_model import FileModel
from keras_resample.export.file_process import rows
from keras_resample.export.tensorflow_process import run_python
from keras_resample.metrics.arrays import to_numpy
from keras_resample.models.btnet import BTNet
from keras_resample.models.steps.image_format import format_of_images

# Enough that a mix-up inside the batch shows.
NUM_RANDOM_ROWS = 5
# By suffix: the packages that run such a file, any one of them.
RUNTIMES = {
    ".onnx": ("onnxruntime",),
    ".xml": ("openvino",),
    ".tflite": ("ai_edge_litert", "tensorflow"),
    ".pt2": ("torch",),
}


def require_runtime(suffix):
    """Raises unless a package is installed that runs files of a suffix."""
    packages = RUNTIMES[suffix]
    if not any(map(importlib.util.find_spec, packages)):
        name = packages[0].replace("_", "-")
        raise ImportError(
            f"Checking a {suffix} file needs {name}. Install it with: pip install {name}; or pass "
            "check=False to write a file that nobody ran"
        )


def check_file(path, model, images, tolerance):
    """Does `check` of a file of any model that `FileModel` takes.

    Args:
        path: of a file that one of `RUNTIMES` reads.
        model, images, tolerance: as in `keras_resample.export.check`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"`path` must be a file that is there. Received: path={str(path)!r}")
    file_model = FileModel(model, "output", _image_size(images, served_model(model)))
    arrays = arrays_of(images, file_model.specs)
    return compare(path, file_model, arrays, tolerance, as_asked=False)


def compare(path, file_model, arrays, tolerance, called=None, as_asked=True):
    """Runs a file without Keras and compares it with the model that it was written from.

    Args:
        path: of a file that one of `RUNTIMES` reads.
        file_model: the `FileModel` of the model.
        arrays: what it is run on, from `arrays_of`.
        tolerance: largest difference allowed, in units of the largest absolute output.
        called: what errors call the file, if not its path.
        as_asked: whether the name of the output and the sizes of batches are to be those of
            `file_model` too.

    Returns:
        A dict: `"inputs"` and `"outputs"`, which map names to `"dtype"` and `"shape"`,
        `"batches"`, the numbers of images that were tried at once, and `"largest_difference"`.

    Raises:
        ValueError: if the file has other names, shapes or numbers than the model.
        ImportError: if the runtime is not installed.
        RuntimeError: if the file cannot be loaded or run.
    """
    path = pathlib.Path(path)
    called = str(called or path)
    require_runtime(path.suffix)
    report, found = _run(path, arrays, called)
    _check_signature(report, file_model, called, as_asked)
    (output,) = report["outputs"]
    report["batches"] = sorted(int(name.rpartition("/")[2]) for name in found)
    expected = to_numpy(file_model.expected(list(arrays.values())))
    largest = 0.0
    for count in report["batches"]:
        served, wanted = found[f"{output}/{count}"], rows(expected, count)
        if served.shape != wanted.shape:
            raise ValueError(
                f'The file must return "{output}" of shape {wanted.shape}, as the model does, but '
                f"returned one of shape {served.shape}. Received: path={called!r}"
            )
        largest = max(largest, _difference(served, wanted))
    if not largest <= tolerance:
        raise ValueError(
            f"The file differs from the model by {largest:.3g}, more than "
            f"tolerance={tolerance:g}. Received: path={called!r}"
        )
    return {"path": called, "tolerance": tolerance, **report, "largest_difference": largest}


def arrays_of(images, specs):
    """What a file is run on: an array for each input, by its name.

    Args:
        images: an array, or a dict of arrays by the names of the inputs; `None` for random ones.
        specs: those of a `FileModel`.
    """
    if images is None:
        return {spec.name: _random(spec) for spec in specs}
    if not isinstance(images, dict):
        images = {specs[0].name: images}
    names = [spec.name for spec in specs]
    if sorted(images) != sorted(names):
        raise ValueError(
            f"`images` must have an array for each of the inputs {names}. "
            f"Received: images with {sorted(images)}"
        )
    arrays = {spec.name: np.asarray(images[spec.name]).astype(spec.dtype) for spec in specs}
    count = len(arrays[names[0]])
    for spec in specs:
        shape = arrays[spec.name].shape
        if not count or shape != (count, *spec.shape[1:]):
            raise ValueError(
                f"`images` must be at least one of shape {tuple(spec.shape[1:])} for the input "
                f'"{spec.name}", as many for each. Received: an array of shape {shape}'
            )
    return arrays


def _random(spec):
    random = np.random.default_rng(0)
    shape = (NUM_RANDOM_ROWS, *spec.shape[1:])
    if "float" in spec.dtype:
        return random.uniform(size=shape).astype(spec.dtype)
    highest = 256 if len(shape) == 4 and spec.dtype != "bool" else 2  # bytes of images, or flags
    return random.integers(0, highest, shape).astype(spec.dtype)


def _run(path, arrays, called):
    script = pathlib.Path(__file__).with_name("file_process.py")
    with tempfile.TemporaryDirectory() as temporary:
        request = pathlib.Path(temporary) / "request.npz"
        np.savez(request, **arrays)
        status, errors = run_python(["-P", str(script), str(path), str(request), temporary])
        if status:
            raise RuntimeError(
                f"The file could not be loaded and run. Received: path={called!r}. "
                f"The process ended with:\n{errors}"
            )
        report = json.loads((pathlib.Path(temporary) / "report.json").read_text("utf-8"))
        with np.load(pathlib.Path(temporary) / "outputs.npz") as file:
            return report, dict(file)


def _check_signature(report, file_model, called, as_asked):
    wanted = {spec.name: [spec.dtype, list(spec.shape)] for spec in file_model.specs}
    found = {name: [each["dtype"], each["shape"]] for name, each in report["inputs"].items()}
    if not as_asked:
        for _, shape in (*wanted.values(), *found.values()):
            shape[0] = None
    if found != wanted:
        raise ValueError(
            f"The file must take {wanted}, but takes {found}. Received: path={called!r}"
        )
    names = list(report["outputs"])
    if len(names) != 1 or as_asked and names != [file_model.output_name]:
        raise ValueError(
            f'The file must have one output, "{file_model.output_name}", but has {names}. '
            f"Received: path={called!r}"
        )


def _image_size(images, model):
    """`(height, width)` of given images, `None` where none are given."""
    arrays = images.values() if isinstance(images, dict) else [images]
    shapes = [np.shape(array) for array in arrays if np.ndim(array) == 4]
    if not shapes:
        return None
    if isinstance(model, BTNet):
        first = model.parts.data_format == "channels_first"
    else:
        first = format_of_images(shapes[0], model) == "channels_first"
    return shapes[0][2:] if first else shapes[0][1:3]


def _difference(served, expected):
    """The largest difference, in units of the largest absolute value that is expected."""
    served, expected = served.astype("float64"), expected.astype("float64")
    unit = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))) or 1.0
    difference = np.abs(served - expected) / unit
    # A NaN in both is no difference, a NaN in one of them the largest.
    agree = (np.isnan(served) & np.isnan(expected)) | (served == expected)
    return float(np.max(np.where(agree, 0.0, np.nan_to_num(difference, nan=np.inf)), initial=0.0))
