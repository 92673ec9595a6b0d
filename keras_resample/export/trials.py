"""What the endpoints of a SavedModel are called with in a check, and what they must return."""

import dataclasses
import functools

import numpy as np
from keras import ops

from keras_resample.export.contract import (
    ANY_SIZE,
    DEFAULT,
    FIRST,
    OF_FILES,
    PIXELS,
    SAME,
    SCORE,
    SECOND,
    VERIFY,
    branch_endpoint,
)
from keras_resample.export.served_network import ServedNetwork
from keras_resample.metrics.arrays import to_numpy
from keras_resample.ops.resolution_choice import choose_resolution


@dataclasses.dataclass
class Trial:
    """A batch for an endpoint.

    Attributes:
        inputs: what is sent, by the names of the endpoint's inputs: arrays, or lists of byte images
            `(h, w, c)`, each of which is sent as a file.
        expected: what the model returns for them, by the names of its outputs.
    """

    inputs: dict
    expected: dict


def trials_of(model, contract, images, others):
    """The `Trial`s of each endpoint, by its name.

    Args:
        model: the model that the SavedModel was written from.
        contract: its `Contract`.
        images: a batch of the model's input shape and dtype.
        others: its other inputs, by their names.
    """
    network = ServedNetwork(model, contract)
    # Where images are resized or become bytes, a NaN would be another thing on each framework.
    pixels = np.nan_to_num(channels_last(images, contract))

    def expected(batches):
        found = [network({**others, contract.image_name: batch}) for batch in batches]
        return {
            name: np.concatenate([to_numpy(outputs[name]) for outputs in found])
            for name in contract.output_names
        }

    def trial(sent, batches):
        return Trial({**others, contract.image_name: sent}, expected(batches))

    def of_images(images):
        return [trial(images, [images])]

    def of_any_size():
        for size in _tried_sizes(contract):
            tried = resized(pixels, size)
            served = as_taken(_served(tried, contract), contract)
            yield trial(as_taken(tried, contract), [served])

    def of_pixels():
        own = pixels if contract.resolutions else _tiled(pixels, contract.image_size)
        for size in _tried_sizes(contract) or _own_sizes(contract):
            tried = as_bytes(resized(own, size), contract)
            yield trial(tried, [as_taken(_served(of_bytes(tried, contract), contract), contract)])

    def of_files():
        sizes = [*_tried_sizes(contract), *contract.resolutions]
        if sizes:
            count = len(pixels)
            files = [resized(pixels[[i % count]], size) for i, size in enumerate(sizes)]
        else:
            files = [_tiled(pixels, contract.image_size)]
        files = [as_bytes(file, contract) for file in files]
        served = [_served(of_bytes(file, contract), contract) for file in files]
        batches = [as_taken(batch, contract) for batch in served]
        return [trial([image for file in files for image in file], batches)]

    def of_pairs():
        (files,) = of_files()
        first, embeddings = files.inputs[contract.image_name], files.expected[contract.output_name]
        scores = np.einsum("ij,ij->i", embeddings, np.roll(embeddings, 1, axis=0))
        answers = {SCORE: scores, SAME: scores >= contract.threshold}
        return [Trial({FIRST: first, SECOND: [first[-1], *first[:-1]]}, answers)]

    makers = {DEFAULT: lambda: of_images(images), ANY_SIZE: of_any_size, PIXELS: of_pixels}
    makers |= dict.fromkeys(OF_FILES, functools.cache(of_files))
    makers[VERIFY] = of_pairs
    for size in contract.resolutions[1:]:
        branch = as_taken(resized(pixels, size), contract)
        makers[branch_endpoint(size)] = functools.partial(of_images, branch)
    return {name: list(makers[name]()) for name in contract.endpoints}


def _tried_sizes(contract):
    """Sizes between and above the resolutions of a model that has several."""
    if not contract.resolutions:
        return []
    if "int" in contract.input_dtype:  # what is resized may be rounded to one integer or the next
        return contract.resolutions
    height, width = contract.resolutions[0]
    between = [(-(-3 * h // 4), -(-w // 2)) for h, w in contract.resolutions]
    return [*between, (height + height // 2, width)]


def _own_sizes(contract):
    """The size of a model that has one, and one that is resized to it."""
    height, width = contract.image_size
    larger = [] if "int" in contract.input_dtype else [(height + height // 2, width)]
    return [(height, width), *larger]


def _served(pixels, contract):
    """Images of one size as the model is fed them: at the resolution that serves them."""
    if not contract.resolutions:
        return resized(pixels, contract.image_size)
    index = choose_resolution(pixels.shape[1:3], *contract.rule)
    return resized(pixels, contract.resolutions[int(index)])


def resized(pixels, size):
    """Channels-last images at another size, by Keras."""
    pixels = pixels.astype("float32")
    size = tuple(size)
    if pixels.shape[1:3] == size:
        return pixels
    return to_numpy(ops.image.resize(pixels, size, antialias=True, data_format="channels_last"))


def channels_last(images, contract):
    """Images as the model takes them, with their channels last."""
    first = contract.data_format == "channels_first"
    return np.transpose(images, (0, 2, 3, 1)) if first else images


def as_taken(pixels, contract):
    """Channels-last images in the layout and of the dtype that the model takes."""
    if contract.data_format == "channels_first":
        pixels = np.transpose(pixels, (0, 3, 1, 2))
    if "int" in contract.input_dtype:
        pixels = np.rint(pixels)
    return pixels.astype(contract.input_dtype)


def as_bytes(pixels, contract):
    """The byte values nearest to channels-last images."""
    values = (pixels.astype("float32") - contract.offset) / contract.scale
    return np.clip(np.rint(values), 0, 255).astype("uint8")


def of_bytes(values, contract):
    """The channels-last images that are made of byte values."""
    return values.astype("float32") * np.float32(contract.scale) + np.float32(contract.offset)


def _tiled(pixels, size):
    """Images of the size that needs no resizing, of a model that takes others too."""
    height, width = size
    return pixels[:, np.arange(height) % pixels.shape[1]][:, :, np.arange(width) % pixels.shape[2]]
