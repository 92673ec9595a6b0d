"""Encoded images within one file, such as records."""

from collections import Counter

import numpy as np

from keras_resample.datasets.files.image_decoding import decoded_image, image_header, to_array
from keras_resample.datasets.files.screening import screen

# What the field's containers hold. Pillow's other decoders have no business there.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")


class ContainedImage:
    """Decodes one image of a file from its index.

    A subclass has `encoded(index)`, the bytes of an image, and `name(index)`, such as
    "record 7".

    Args:
        file: `MappedFile`.
        size: `(height, width)` to resize to. `None`: images are not resized, and all must have
            the `size` that is set before the first is decoded.
        channels: 1 (grey) or 3 (RGB).
    """

    def __init__(self, file, size, channels):
        self.file = file
        self.size = size
        self.channels = channels
        self.resize = size is not None

    def __call__(self, index):
        return self.named(index, self._decoded)

    def screened(self, indices, on_error, progress=False):
        """Decodes images, and finds those that are damaged or have not the size of the others.

        Args:
            indices, on_error, progress: as in `screen`.

        Returns:
            `(good, skipped)`, as of `screen`. With `"skip"` and no `size` yet, it is that of most
            images, with `"raise"` that of the first.
        """
        known = {}

        def look(index):
            size = self.stored_size(index, verify=True)
            return known.setdefault(size, size)  # one object for all images of a size

        good, sizes, skipped = screen(look, self.place, indices, on_error, progress)
        if self.resize or not len(good):
            return good, skipped
        most_frequent = Counter(sizes).most_common(1)[0][0]  # the first one of equals
        self.size = self.size or (most_frequent if on_error == "skip" else sizes[0])
        others = {
            int(index): size for index, size in zip(good, sizes, strict=True) if size != self.size
        }

        def refuse(index):
            self.named(index, lambda index: self._check_size(others[index]))

        _, _, refused = screen(refuse, self.place, list(others), on_error)
        return good[~np.isin(good, list(others))], skipped + refused

    def stored_size(self, index, verify=False):
        """`(height, width)` of an image; with `verify` every pixel is decoded too."""
        return self.named(index, lambda index: image_header(self.encoded(index), verify, FORMATS))[
            0
        ]

    def place(self, index):
        """Where an image is: `(file, "record 7")`."""
        return self.file.path, self.name(index)

    def named(self, index, function):
        """`function(index)`, an error of which names the image."""
        # Pillow's decoders raise errors of many types, not all of them documented.
        try:
            return function(index)
        except Exception as error:
            raise ValueError(
                f"{self.name(index).capitalize()} of {self.file.path!r} cannot be read "
                f"({type(error).__name__}: {error}). Get the file again, or read it with "
                f"on_error='skip', verify=True. Received: a file of {self.file.size} bytes"
            ) from error

    def _decoded(self, index):
        with decoded_image(self.encoded(index), FORMATS) as image:
            if not self.resize:
                self._check_size((image.height, image.width))
            return to_array(image, self.size, self.channels)

    def _check_size(self, size):
        if size != self.size:
            raise ValueError(
                f"it is {size[0]} x {size[1]}, not {self.size[0]} x {self.size[1]} like the "
                "others; give `size=(height, width)` to resize"
            )
