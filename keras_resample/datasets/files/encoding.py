"""Encoded images for the writers."""

import io

import numpy as np

from keras_resample.datasets.files.image_decoding import pillow


def encoded_image(image, index, writer):
    """A uint8 array `(h, w)` or `(h, w, 1 or 3)` as PNG; bytes as they are."""
    if isinstance(image, (bytes, bytearray)):
        if not image:
            raise ValueError(f"`images` must not be empty. Received: no byte in image {index}")
        return bytes(image)
    Image = pillow(writer)
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    right = image.ndim == 2 or (image.ndim == 3 and image.shape[-1] == 3)
    if image.dtype != np.uint8 or not right or 0 in image.shape:
        raise ValueError(
            "`images` must be uint8 arrays (h, w), (h, w, 1) or (h, w, 3), or encoded bytes. "
            f"Received: shape {image.shape} and dtype {image.dtype} for image {index}"
        )
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
