"""What a reader of identities in image files stands on: it only tells the layout."""

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
    **kwargs,
):
    """An `IdentityDataset` of image files and their labels.

    Args:
        files: n paths. Those of the images that are left are `dataset.load.files`.
        labels: n integers or strings, any values. They are renumbered to `0 .. k-1` in sorted
            order; `class_names` holds the original ones.
        path: what the user gave, for errors.
        reader: name of the public function, for errors.
        size, channels, on_error, verify, progress: as in `image_folder`.
        **kwargs: as in `IdentityDataset`.
    """
    image, image_shape, good, skipped = scan_files(
        files, path, reader, size, channels, on_error, verify, progress
    )
    warn_of_skipped(skipped, "image files")
    labels, class_names = renumbered([labels[index] for index in good])
    dataset = IdentityDataset(image, labels, image_shape, class_names=class_names, **kwargs)
    dataset.skipped = skipped
    return dataset
