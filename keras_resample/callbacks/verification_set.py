"""The images a verification callback embeds, and the truth about them."""

import dataclasses
import math

import keras
import numpy as np
from keras import ops


@dataclasses.dataclass
class VerificationSet:
    """Images in any form that `predict` takes, and what a protocol compares their scores with."""

    name: str
    images: object
    truth: object

    def embeddings(self, embedder, batch_size, verbose):
        """Numpy float32 (n, dim); images are read batch by batch."""
        images = self.images
        if hasattr(images, "shape"):
            # Keras would copy the whole array to a tensor first.
            images = Slices(images, batch_size)
        return np.asarray(embedder.predict(images, verbose=verbose), "float32")


class Slices(keras.utils.PyDataset):
    """Batches of an array, in order."""

    def __init__(self, images, batch_size):
        super().__init__()
        self.images, self.batch_size = images, batch_size

    def __len__(self):
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, index):
        start = index * self.batch_size
        return (np.asarray(self.images[start : start + self.batch_size]),)


class FlipEmbedder(keras.Model):
    """The sum of the embeddings of an image and of its mirror image."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.autocast = False

    def call(self, images):
        if len(getattr(images, "shape", ())) != 4:
            raise ValueError(
                "`flip` needs an encoder of one tensor of images (b, h, w, c) or (b, c, h, w). "
                f"Received: {images}"
            )
        last = keras.config.image_data_format() == "channels_last"
        both = [images, ops.flip(images, axis=2 if last else 3)]
        found = [ops.cast(self.encoder(x, training=False), "float32") for x in both]
        return ops.add(*found)


def verification_sets(data):
    """The sets of the `data` argument of `VerificationCallback`."""
    if not isinstance(data, dict):
        data = {"verification": data}
    if not data:
        raise ValueError("`data` must hold at least one set. Received: data={}")
    return [_set(str(name), one) for name, one in data.items()]


def _set(name, data):
    if hasattr(data, "images") and hasattr(data, "same"):
        data = (data.images, np.asarray(data.same, bool))
    if isinstance(data, (tuple, list)):
        if len(data) != 2:
            raise ValueError(
                "`data` must be images, (images, same) or an object with these, or a dict of them. "
                f"Received: {len(data)} entries for {name!r}"
            )
        images, truth = data
        truth = np.asarray(truth)
    else:
        images, truth = data, None
    if images is None or isinstance(images, (str, bytes, int, float)):
        raise ValueError(f"`data` must hold images. Received: {images!r} for {name!r}")
    if getattr(images, "shuffle", False) is True:
        raise ValueError(f"`data` must not be shuffled. Received: shuffle=True for {name!r}")
    if hasattr(images, "__next__"):
        raise ValueError(
            "`data` is read at every evaluation and cannot be a generator. "
            f"Received: {images!r} for {name!r}"
        )
    return VerificationSet(name, images, truth)
