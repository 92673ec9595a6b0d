"""The images a verification callback embeds, and the truth about them."""

import dataclasses

import numpy as np

from keras_resample.callbacks.image_set import ImageSet, is_labelled, readable_images
from keras_resample.callbacks.protocol_numbers import lists_pairs


@dataclasses.dataclass
class VerificationSet(ImageSet):
    """Images, and what a protocol compares their scores with."""

    truth: object

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
    elif is_labelled(data):
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
    return VerificationSet(name, readable_images(images, "data", name), truth)
