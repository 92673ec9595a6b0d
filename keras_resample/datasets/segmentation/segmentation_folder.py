"""A segmentation dataset from a folder of images and a folder of masks."""

import os

from keras_resample.arguments import as_integer, check_folder
from keras_resample.datasets.files.image_decoding import EXTENSIONS as IMAGE_EXTENSIONS
from keras_resample.datasets.segmentation.image_mask_files import image_mask_dataset
from keras_resample.datasets.segmentation.mask_labels import LARGEST_ID, ColorLabels, IdLabels

EXTENSIONS = (*IMAGE_EXTENSIONS, ".npy")


def segmentation_folder(
    images,
    masks,
    num_classes=None,
    classes=None,
    ignore_class=255,
    image_suffix="",
    mask_suffix="",
    on_error="raise",
    verify=None,
    progress=False,
    **kwargs,
):
    """A dataset from a folder of images and a folder of masks, matched by their names.

    The mask of `a/b{image_suffix}.jpg` is `a/b{mask_suffix}.png`, or any other extension (bmp,
    gif, jpeg, jpg, npy, pgm, png, ppm, tif, tiff, webp), at the same place below `masks`. Both
    may be one folder if the suffixes tell them apart. Other files and hidden ones are ignored.
    Images come in the order of their names, as 8-bit RGB; grey is repeated, 16 bits are
    reduced to 8, and there is no alpha. An image and a mask are each turned as the EXIF
    orientation in their own file says.

    Every header is read at construction. With `verify` every file is decoded once as well, and
    every label looked at; otherwise a truncated file, or a mask with an unknown class, raises
    when it is read. An image with more pixels than `PIL.Image.MAX_IMAGE_PIXELS` is an error
    like an unreadable one. `.npy` has no such limit; it is read by window through a memory map,
    as are `.ppm`, `.pgm` and uncompressed TIFF, in strips or tiles.

    Needs Pillow, unless all files are `.npy`: `pip install keras-resample[datasets]`.

    Args:
        images: folder of the images.
        masks: folder of the masks, or the same folder.
        num_classes: number of classes. Default: the largest class in `classes` plus one.
        classes: dict from what the masks hold to classes, where a class in `[0, num_classes)`
            or `ignore_class` is given for each integer id in 0..65535, or for each colour
            (red, green, blue) in 0..255. Default: the ids are the classes, and `ignore_class`
            stays.
        ignore_class: the label of pixels that count nowhere, or `None`.
        image_suffix, mask_suffix: how the names of images and masks end, before the extension.
        on_error: what a damaged file, a missing mask or a mask of another size does.
            `"raise"`: an error that names it. `"skip"`: the image is left out, one warning
            gives the number, and `skipped` lists `(image, reason)`.
        verify: whether to decode every file at construction. Default: with
            `on_error="skip"` only.
        progress: whether to show a progress bar meanwhile.
        **kwargs: as in `SegmentationDataset`: `class_names`, `class_colors`, `batch_size`,
            `shuffle`, `seed`, `flip`, `crop`, `crop_position`, `data_format`, `workers`.

    Returns:
        A `SegmentationDataset`.

    Raises:
        ImportError: if Pillow is needed and not installed.
        NotADirectoryError: if `images` or `masks` is not a folder.
        ValueError: if there is no image, for a wrong argument, or for a bad file
            (`on_error="raise"`).

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a", "b"):
    ...         np.save(os.path.join(folder, name + "_image"), np.zeros((20, 30, 3), "uint8"))
    ...         np.save(os.path.join(folder, name + "_mask"), np.eye(20, 30, dtype="uint8"))
    ...     dataset = kr.datasets.segmentation_folder(
    ...         folder, folder, num_classes=2, image_suffix="_image", mask_suffix="_mask",
    ...         batch_size=2, data_format="channels_last")
    ...     images, labels = dataset[0]
    >>> images.shape, labels.shape, int(labels.sum())
    ((2, 20, 30, 3), (2, 20, 30), 40)
    """
    num_classes, labels = _labels(classes, num_classes, ignore_class)
    files = list_files(images, image_suffix, "images")
    if not files:
        raise ValueError(
            f"`images` must hold image files whose names end in {image_suffix!r} before the "
            f"extension, and none was found. Received: images={str(images)!r}"
        )
    masked = list_files(masks, mask_suffix, "masks")
    return image_mask_dataset(
        list(files.values()),
        [masked.get(key) or missing_mask(masks, key + mask_suffix) for key in files],
        labels,
        "segmentation_folder",
        on_error=on_error,
        verify=verify,
        progress=progress,
        num_classes=num_classes,
        ignore_class=ignore_class,
        **kwargs,
    )


def missing_mask(folder, name):
    """The path a mask should have; reading it fails, and names it."""
    return os.path.join(os.fspath(folder), name + ".png")


def list_files(folder, suffix, argument):
    """Image files below a folder by what is left of their path without suffix and extension.

    Returns:
        dict from `sub/folder/name` to paths, sorted.
    """
    folder = os.fspath(folder)
    check_folder(folder, argument)
    found = {}
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            stem, extension = os.path.splitext(name)
            if (
                name.startswith(".")
                or extension.lower() not in EXTENSIONS
                or not stem.endswith(suffix)
            ):
                continue
            path = os.path.join(place, name)
            key = os.path.relpath(os.path.join(place, stem[: len(stem) - len(suffix)]), folder)
            if found.setdefault(key, path) != path:
                raise ValueError(
                    f"`{argument}` must hold one file of each name. "
                    f"Received: {found[key]!r} and {path!r}"
                )
    return dict(sorted(found.items()))


def _labels(classes, num_classes, ignore_class):
    """`num_classes`, and what turns a mask into classes."""
    ignored = set() if ignore_class is None else {ignore_class}
    if classes is None:
        if num_classes is None:
            raise ValueError("`num_classes` or `classes` is needed. Received: num_classes=None")
        num_classes = as_integer(num_classes, "num_classes")
        return num_classes, IdLabels({n: n for n in {*range(num_classes), *ignored}})
    if not isinstance(classes, dict) or not classes:
        raise ValueError(
            "`classes` must be a dict from ids or colours to classes. "
            f"Received: classes={classes!r}"
        )
    if num_classes is None:
        num_classes = max({0, *map(_as_id, classes.values())} - ignored, default=0) + 1
    num_classes = as_integer(num_classes, "num_classes")
    allowed = {*range(num_classes), *ignored}
    for key, label in classes.items():
        if _as_id(label) not in allowed:
            raise ValueError(
                f"`classes` must lead to classes in [0, {num_classes}) or to "
                f"ignore_class={ignore_class}. Received: {key!r}: {label!r}"
            )
    colored = all(_is_color(key) for key in classes)
    if not colored and not all(0 <= _as_id(key) <= LARGEST_ID for key in classes):
        raise ValueError(
            f"The keys of `classes` must all be ids in 0..{LARGEST_ID}, or all be colours "
            f"(red, green, blue) in 0..255. Received: {list(classes)[:5]}"
        )
    return num_classes, (ColorLabels if colored else IdLabels)(classes)


def _as_id(value):
    """`value` as an int, or -1 for what is no id and no class."""
    try:
        return as_integer(value, "classes", 0)
    except ValueError:
        return -1


def _is_color(key):
    return isinstance(key, tuple) and len(key) == 3 and all(0 <= _as_id(v) < 256 for v in key)
