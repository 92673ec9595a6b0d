"""The images a verification callback embeds, and the truth about them."""

import dataclasses
import math

import keras
import numpy as np

from keras_resample.callbacks.protocol_numbers import lists_pairs
from keras_resample.models.steps.data_order import in_data_order


@dataclasses.dataclass
class VerificationSet:
    """Images in any form that `predict` takes, and what a protocol compares their scores with."""

    name: str
    images: object
    truth: object

    def number_of_images(self):
        """As far as it can be told without reading them, or `None`."""
        shape = getattr(self.images, "shape", (None,))
        return getattr(self.images, "num_images", shape[0])

    def may_be_pairs(self):
        """Whether the truth lists pairs, as far as the images are counted."""
        if self.truth is None or self.truth.ndim != 1:
            return False
        images = self.number_of_images()
        return lists_pairs(self.truth, 2 * len(self.truth) if images is None else images)

    def check_length(self, images_per_entry):
        """Raises unless the truth has an entry for so many images, as far as they are counted."""
        found, entries = self.number_of_images(), self.truth.shape
        if len(entries) != 1 or found not in (None, images_per_entry * entries[0]):
            of_pairs = "two images per entry of `same`"
            raise ValueError(
                f"`data` must have {of_pairs if images_per_entry == 2 else 'one label per image'}. "
                f"Received: for {self.name!r} {found} images and a truth of shape {entries}"
            )

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
    elif np.ndim(getattr(data, "labels", None)) == 1 and hasattr(data, "ordered"):
        data = (data.ordered(), data.labels)
    if isinstance(data, (tuple, list)):
        if len(data) != 2:
            raise ValueError(
                "`data` must be images, (images, truth), a dataset of pairs or identities, or a "
                f"dict of them. Received: {len(data)} entries for {name!r}"
            )
        images, truth = data
        truth = np.asarray(truth)
    else:
        images, truth = data, None
    if images is None or isinstance(images, (str, bytes, int, float)):
        raise ValueError(f"`data` must hold images. Received: {images!r} for {name!r}")
    if getattr(images, "shuffle", False) is True:
        raise ValueError(
            "`data` must not be shuffled: build it with shuffle=False, or give a dataset of "
            f"identities itself. Received: shuffle=True for {name!r}"
        )
    if hasattr(images, "__next__"):
        raise ValueError(
            "`data` is read at every evaluation and cannot be a generator. "
            f"Received: {images!r} for {name!r}"
        )
    return VerificationSet(name, in_data_order(images), truth)
