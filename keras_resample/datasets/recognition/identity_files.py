"""What a reader of identities in image files stands on: it only tells the layout."""

import numpy as np

from keras_resample.datasets.base.identity_dataset import IdentityDataset
from keras_resample.datasets.files.screening import scan_files, warn_of_skipped
from keras_resample.datasets.recognition.arrays import renumbered


def identity_files(
    files,
    labels,
    path,
    reader,
    size=None,
    channels=None,
    on_error="raise",
    verify=None,
    progress=False,
    class_names=None,
    cameras=None,
    boxes=None,
    **kwargs,
):
    """An `IdentityDataset` of image files and their labels.

    Args:
        files: n paths. Those of the images that are left are `dataset.paths`.
        labels: n integers or strings, any values. They are renumbered to `0 .. k-1` in sorted
            order; `class_names` holds the original ones.
        path: what the user gave, for errors.
        reader: name of the public function, for errors.
        size, channels, on_error, verify, progress, class_names: as in `image_folder`.
        cameras: n integers, or `None`.
        boxes: `(left, top, right, bottom)` in pixels of each image, the part that is read, or
            `None` for all of it; see `part_of` of `files/image_decoding.py`.
        **kwargs: as in `IdentityDataset`.
    """
    image, image_shape, good, skipped = scan_files(
        files, path, reader, size, channels, on_error, verify, progress, boxes
    )
    warn_of_skipped(skipped, "image files", more="" if class_names else _lost(labels, good))
    labels, class_names = renumbered([labels[index] for index in good], class_names)
    if cameras is not None:
        cameras = np.asarray(cameras)[good]
    dataset = IdentityDataset(
        image, labels, image_shape, class_names=class_names, cameras=cameras, **kwargs
    )
    dataset.skipped = skipped
    return dataset


def _lost(labels, good):
    """What is to be said of identities without an image that is left."""
    left = {labels[index] for index in good}
    lost = [label for label in dict.fromkeys(labels) if label not in left]
    if not lost:
        return ""
    return (
        f" {len(lost)} identities have no other image, the first one {lost[0]!r}: they are no "
        "class, and the labels of those behind them are lower. To keep them, give `class_names`."
    )
