"""The embeddings of image files by a model of any kind, as it makes them itself."""

import functools

import keras
import numpy as np

from keras_resample.compare.engine.checks import SettingError
from keras_resample.datasets.files.image_decoding import FileImage
from keras_resample.models import BTNet, Recognizer, Verifier
from keras_resample.models.steps.images_of_files import range_of_files
from keras_resample.models.steps.native_images import resized
from keras_resample.models.steps.own_scaling import own_scaling
from keras_resample.ops import choose_resolution

# Steps whose images of any size are in memory at once: enough to fill those of each resolution.
STEPS_AT_ONCE = 8
# What a verifier reads files in whose file says no range.
UNSAID_RANGE = (0.0, 1.0)


def embedder(model, command):
    """How a model embeds files.

    Args:
        model: a `Verifier`, a `Recognizer`, a `BTNet`, or an encoder of images.
        command: has `flip` and `value_range`.

    Returns:
        Function `(paths, batch_size, verbose)` that returns embeddings of length 1, in their order.

    Raises:
        SettingError: for another model, and what contradicts the file of a `Verifier`.
    """
    arguments = {"flip": command.flip, "value_range": command.value_range}
    if isinstance(model, BTNet):
        return functools.partial(_embed_any_sizes, model, **arguments)
    if isinstance(model, Verifier):
        _obey(model, command)
        return model.embed
    _check_encoder(model.encoder if isinstance(model, Recognizer) else model, command)
    if isinstance(model, Recognizer):
        return functools.partial(model.embed, **arguments)
    return Verifier(model, threshold=0.0, **arguments).embed


def _obey(verifier, command):
    """Lets a verifier have what its file leaves open, and nothing else."""
    must = "must be left out for a Verifier, whose file says it"
    if command.flip and not verifier.flip:
        raise SettingError("flip", must, command.flip)
    if command.value_range is None:
        return
    known = verifier.value_range
    if known is None and not own_scaling(verifier.encoder):
        known = UNSAID_RANGE
    if known not in (None, command.value_range):
        low, high = known
        raise SettingError("value_range", f"{must}, {low:g} {high:g}", command.value_range)
    verifier.value_range = command.value_range


def _check_encoder(encoder, command):
    """Raises unless an encoder turns one batch of images into embeddings."""
    shapes = getattr(encoder, "input_shape", None), getattr(encoder, "output_shape", None)
    if not all(isinstance(shape, tuple) for shape in shapes) or [*map(len, shapes)] != [4, 2]:
        must = (
            "must be a Verifier, a Recognizer, a BTNet, or an encoder of one batch of images, "
            "which returns embeddings (n, dim)"
        )
        raise SettingError("model", must, f"{command.model}, {_kind(encoder)}")


def _kind(model):
    """A model in words: its class, and where it has several inputs how many."""
    inputs = getattr(model, "inputs", None) or ()
    count = f" with {len(inputs)} inputs" if len(inputs) > 1 else ""
    return f"a {type(model).__name__}{count}"


def _embed_any_sizes(network, paths, batch_size, verbose, flip, value_range):
    """Embeddings of files by a `BTNet`, each by the branch for the size that it has."""
    low, high = range_of_files(value_range, None, network.trunk)
    first = network.parts.data_format == "channels_first"
    read = FileImage(paths, None, network.trunk.inputs[0].shape[1 if first else 3])
    sizes = [network.parts.size, *network.resolutions]
    bar = keras.utils.Progbar(len(paths), verbose=verbose, unit_name="image")
    found = []

    def served(index):
        pixels = read(index)
        # A photograph is reduced at once, as `embed` would do, or many would fill the memory.
        pixels = resized(pixels, sizes[int(choose_resolution(pixels.shape[:2], sizes))])
        pixels = np.float32(low) + pixels * np.float32(high - low)
        return np.moveaxis(pixels, -1, 0) if first else pixels

    for start in range(0, len(paths), STEPS_AT_ONCE * batch_size):
        end = min(start + STEPS_AT_ONCE * batch_size, len(paths))
        images = [served(index) for index in range(start, end)]
        found.append(network.embed(images, batch_size, flip=flip))
        bar.update(end)
    return np.concatenate(found)
