"""Images that a callback embeds at every evaluation."""

import dataclasses
import math

import keras
import numpy as np

from keras_resample.models.steps.data_order import in_data_order


@dataclasses.dataclass
class ImageSet:
    """Images in any form that `predict` takes, under the name that messages call them by."""

    name: str
    images: object

    def number_of_images(self):
        """As far as it can be told without reading them, or `None`."""
        if isinstance(self.images, dict):
            return len(next(iter(self.images.values())))
        shape = getattr(self.images, "shape", (None,))
        return getattr(self.images, "num_images", shape[0])

    def embeddings(self, embedder, batch_size, verbose):
        """Numpy float32 (n, dim); images are read batch by batch."""
        images = self.images
        if hasattr(images, "shape") or isinstance(images, dict):
            # Keras would copy the whole array to a tensor first.
            images = Slices(images, batch_size)
        return np.asarray(embedder.predict(images, verbose=verbose), "float32")


class Slices(keras.utils.PyDataset):
    """Batches of an array, or of arrays in a dict, in order."""

    def __init__(self, images, batch_size):
        super().__init__()
        self.images, self.batch_size = images, batch_size

    def __len__(self):
        return math.ceil(len(keras.tree.flatten(self.images)[0]) / self.batch_size)

    def __getitem__(self, index):
        place = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return (keras.tree.map_structure(lambda x: np.asarray(x[place]), self.images),)


def is_labelled(data):
    """Whether it is a dataset of identities."""
    return np.ndim(getattr(data, "labels", None)) == 1 and hasattr(data, "ordered")


def readable_images(images, argument, name):
    """The images in the order of the data; raises where they cannot be read in it many times.

    Args:
        images: What was given.
        argument: The name of the argument.
        name: The name of the set.
    """
    if images is None or isinstance(images, (str, bytes, int, float)):
        raise ValueError(f"`{argument}` must hold images. Received: {images!r} for {name!r}")
    if getattr(images, "shuffle", False) is True:
        raise ValueError(
            f"`{argument}` must not be shuffled: build it with shuffle=False, or give a dataset of "
            f"identities itself. Received: shuffle=True for {name!r}"
        )
    if hasattr(images, "__next__"):
        raise ValueError(
            f"`{argument}` is read at every evaluation and cannot be a generator. "
            f"Received: {images!r} for {name!r}"
        )
    return in_data_order(images)
