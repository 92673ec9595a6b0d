"""Export of a model of any backend by TensorFlow, in a process of its own."""

import dataclasses
import importlib
import json
import pathlib
import sys
import tempfile

import keras

from keras_resample.export.contract import Contract
from keras_resample.export.endpoints import write_saved_model
from keras_resample.export.tensorflow_process import WRITING_FAILED, run_python


def write_through_tensorflow(model, folder, contract, warm_up, custom_modules):
    """Does `write_saved_model` on the TensorFlow backend, whatever the backend here.

    The model is saved as a temporary `.keras` file, which a new process loads and exports.

    Args:
        model: a built Keras model.
        folder: path of the folder, at which nothing is yet.
        contract: a `Contract`.
        warm_up: as in `write_saved_model`.
        custom_modules: names of the modules that the process imports before it loads the model.

    Raises:
        OSError: where a folder cannot be written.
        RuntimeError: where the other process fails, with its last lines.
    """
    with tempfile.TemporaryDirectory() as temporary:
        file = pathlib.Path(temporary) / "model.keras"
        model.save(file)
        request = {
            "file": str(file),
            "folder": str(folder),
            "contract": dataclasses.asdict(contract),
            "warm_up": warm_up,
            "custom_modules": list(custom_modules),
            "image_data_format": keras.config.image_data_format(),
        }
        start = f"from {__name__} import main; main()"
        status, errors = run_python(["-c", start], json.dumps(request))
    if status == WRITING_FAILED:
        raise OSError(errors.splitlines()[-1])
    if status:
        raise RuntimeError(
            "TensorFlow could not load and export the model. Layers of your own must be registered "
            "with keras.saving.register_keras_serializable, use keras.ops, and live in a module "
            "named in `custom_modules`. "
            f"Received: custom_modules={tuple(custom_modules)!r}. "
            f"The TensorFlow process ended with:\n{errors}"
        )


def main():
    """Loads and exports what the standard input asks for."""
    request = json.load(sys.stdin)
    for name in request["custom_modules"]:
        importlib.import_module(name)
    keras.config.set_image_data_format(request["image_data_format"])
    # The file was written by this user a moment ago, so its code is trusted.
    model = keras.saving.load_model(request["file"], compile=False, safe_mode=False)
    contract = Contract(**request["contract"])
    try:
        write_saved_model(model, request["folder"], contract, request["warm_up"])
    except OSError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(WRITING_FAILED)
