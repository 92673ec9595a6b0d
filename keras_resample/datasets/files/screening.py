"""Finding damaged images at construction, in threads."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import keras
import numpy as np

from keras_resample.arguments import as_bool, as_size, check_choice
from keras_resample.datasets.files.image_decoding import (
    GREY_MODES,
    FileImage,
    as_channels,
    pillow,
)

THREADS = 8
CHUNK = 1024


def as_verify(verify, on_error, progress):
    """Whether every image is decoded at construction; by default where damaged ones are skipped."""
    check_choice(on_error, "on_error", ("raise", "skip"))
    as_bool(progress, "progress")  # also where nothing is decoded yet
    return on_error == "skip" if verify is None else as_bool(verify, "verify")


def progress_bar(count, progress):
    """A Keras progress bar of images, which is not seen unless `progress`."""
    verbose = int(as_bool(progress, "progress"))
    return keras.utils.Progbar(count, verbose=verbose, unit_name="image")


def screen(look, place, indices, on_error, progress=False):
    """Looks at images, and finds those that cannot be read.

    Args:
        look: callable that raises ValueError for a bad index; called in threads.
        place: callable from an index to `(file, where in it)`, the latter empty for a file that
            holds one image.
        indices: integers `(n,)`.
        on_error: `"raise"` or `"skip"`.
        progress: whether to show a progress bar.

    Returns:
        `(good, seen, skipped)`: int64 `(m,)`, list of what `look` returned of each, and list of
        `(file, reason)`.
    """
    good, seen, skipped = [], [], []
    bar = progress_bar(len(indices), progress)
    with ThreadPoolExecutor(THREADS) as threads:
        for first in range(0, len(indices), CHUNK):
            part = [int(index) for index in indices[first : first + CHUNK]]
            looks = threads.map(_look, repeat(look), part)
            for count, (index, (one, error)) in enumerate(zip(part, looks, strict=True), first + 1):
                if error is None:
                    good.append(index)
                    seen.append(one)
                elif on_error == "raise":
                    raise error
                else:
                    skipped.append(_reason(error, *place(index)))
                bar.update(count)
    return np.array(good, "int64"), seen, skipped


def scan_files(files, path, reader, size, channels, on_error, verify, progress, boxes=None):
    """Looks at image files: at their headers or, with `verify`, at every pixel.

    Args:
        files: paths.
        path: what led to them, for errors.
        reader: name of the public function, for errors.
        size, channels, on_error, verify, progress: as in `image_folder`.
        boxes: as in `FileImage`.

    Returns:
        `(image, image_shape, good, skipped)`: a `FileImage` of the good files, the shape of what
        it decodes, the indices of the good files, int64, and list of `(file, reason)`.

    Raises:
        ValueError: where no file is good, or their sizes differ and there is no `size`.
    """
    verify = as_verify(verify, on_error, progress)
    size = None if size is None else as_size(size)
    channels = None if channels is None else as_channels(channels)
    pillow(reader)
    image = FileImage(files, size, channels, boxes)
    good, headers, skipped = screen(
        lambda index: image.header(index, verify),
        lambda index: (files[index], ""),
        range(len(files)),
        on_error,
        progress,
    )
    if not headers:
        raise ValueError(
            f"`path` must hold readable images in the layout of `{reader}`, and none was found. "
            f"Received: path={str(path)!r}, {len(files)} files, {len(skipped)} skipped"
        )
    image.select(good)
    if channels is None:
        image.channels = 1 if all(mode in GREY_MODES for _, mode in headers) else 3
    return image, (*(size or _shared_size(image.files, headers)), image.channels), good, skipped


def warn_of_skipped(skipped, what, stacklevel=4, more=""):
    """One warning that gives the number and the first one, and what `more` there is to say."""
    if skipped:
        warnings.warn(
            f"{len(skipped)} {what} were skipped, the first one in {skipped[0][0]!r}: "
            f"{skipped[0][1]}. `.skipped` lists all.{more}",
            stacklevel=stacklevel,
        )


def _look(look, index):
    try:
        return look(index), None
    except ValueError as error:
        return None, error


def _reason(error, file, where):
    cause = error.__cause__ or error
    reason = f"{type(cause).__name__}: {cause}"
    return file, f"{where}: {reason}" if where else reason


def _shared_size(files, headers):
    """`(height, width)` of all files; an error if they differ."""
    first = headers[0][0]
    for file, (size, _) in zip(files, headers, strict=True):
        if size != first:
            raise ValueError(
                "The images have different sizes; give `size=(height, width)` to resize them. "
                f"Received: size=None, {files[0]!r} is {first} and {file!r} is {size}"
            )
    return first
