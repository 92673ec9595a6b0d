"""Images in files of their own: what folders, lists and protocols share."""

import os

import keras

from keras_resample.datasets.files.image_decoding import decode_image, image_header

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class FileImage:
    """Decodes one image file from its index."""

    def __init__(self, files, size, channels):
        self.files = files
        self.size = size
        self.channels = channels

    def __call__(self, index):
        file = self.files[index]
        try:
            return decode_image(file, self.size, self.channels)
        except Exception as error:
            raise ValueError(unreadable(error, file)) from error


def scan_files(files, verify, on_error, progress):
    """Reads the header of each file.

    Args:
        files: paths.
        verify: whether to decode the pixels too.
        on_error: `"raise"` or `"skip"`.
        progress: whether to show a progress bar.

    Returns:
        Indices of the good files, `((height, width), mode)` of each of them, and a list of
        `(file, reason)` of the bad ones.

    Raises:
        ValueError: for a bad file, with `on_error="raise"`.
    """
    good, headers, skipped = [], [], []
    bar = keras.utils.Progbar(len(files), unit_name="file") if progress else None
    for index, file in enumerate(files):
        # Pillow's decoders raise errors of many types, not all of them documented.
        try:
            headers.append(image_header(file, verify))
            good.append(index)
        except Exception as error:
            if on_error == "raise":
                raise ValueError(unreadable(error, file)) from error
            skipped.append((file, f"{type(error).__name__}: {error}"))
        if bar is not None:
            bar.update(index + 1)
    return good, headers, skipped


def unreadable(error, file):
    """What to say of a file that cannot be read."""
    return (
        f"Image file {file!r} cannot be read ({type(error).__name__}: {error}). Repair or "
        "remove it, or build the dataset with on_error='skip'. Received: "
        f"{os.path.getsize(file) if os.path.exists(file) else 'no file'} bytes"
    )


def shared_size(files, headers):
    """`(height, width)` of all files; an error if they differ."""
    first = headers[0][0]
    for file, (size, _) in zip(files, headers, strict=True):
        if size != first:
            raise ValueError(
                "The images have different sizes; give `size=(height, width)` to resize them. "
                f"Received: size=None, {files[0]!r} is {first} and {file!r} is {size}"
            )
    return first
