"""Pixels of image files, whole or by window."""

import os

import numpy as np

from keras_resample.datasets.files.image_decoding import (
    decoded_image,
    open_image,
    orientation,
    pillow,
    upright_size,
)
from keras_resample.datasets.files.tiff_blocks import tiff_blocks


def raster_size(path):
    """`(height, width)` of an image file, from its header.

    Raises:
        ValueError, OSError or whatever Pillow raises: for what is no image.
    """
    mapped = mapped_raster(path)
    if mapped is not None:
        return mapped.shape[:2]
    with open_image(path) as image:
        return upright_size(image)


def read_image(path, window):
    """A window of an image as uint8 `(height, width, 3)`; grey is repeated."""
    mapped = mapped_raster(path)
    if mapped is not None:
        pixels = np.array(mapped[_slices(window)])
    else:
        with decoded_image(path) as image:
            pixels = _eight_bits(_cut(image, window))
    if pixels.ndim == 2 or pixels.shape[-1] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=-1)
    if pixels.dtype != np.uint8 or pixels.shape[-1] != 3:
        raise ValueError(
            "an image must hold uint8 with 1 or 3 channels, not "
            f"{pixels.dtype} with {pixels.shape[-1]}"
        )
    return pixels


def read_mask(path, window, colored):
    """A window of a mask: integers `(height, width)`, or uint8 colours `(height, width, 3)`."""
    mapped = mapped_raster(path)
    if mapped is not None:
        mask = np.array(mapped[_slices(window)])
        mask = mask[..., 0] if mask.ndim == 3 and mask.shape[-1] == 1 else mask
    else:
        with decoded_image(path) as image:
            part = _cut(image, window)
            mask = np.asarray(part.convert("RGB") if colored else part)
            if not colored and part.mode == "1":
                mask = mask.astype("uint8")
    if mask.ndim != (3 if colored else 2) or mask.dtype.kind not in "iu":
        wanted = "colours (height, width, 3)" if colored else "one integer a pixel"
        raise ValueError(f"a mask must hold {wanted}, not {mask.dtype} of shape {mask.shape}")
    return mask


def mapped_raster(path):
    """What reads windows `(h, w)` or `(h, w, c)` of a file without the rest, or `None`."""
    kind = os.path.splitext(path)[1].lower()
    if kind == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.ndim not in (2, 3) or 0 in array.shape:
            raise ValueError(f"an array of shape {array.shape} is no image")
        return array
    if kind not in (".pgm", ".ppm", ".tif", ".tiff"):
        return None
    with open_image(path) as image:
        if image.format == "TIFF":  # a turned one is decoded
            return tiff_blocks(path, image) if orientation(image) == 1 else None
        return _mapped_netpbm(path, image) if image.format == "PPM" else None


def _mapped_netpbm(path, image):
    """A memory map of a binary 8-bit PGM or PPM file."""
    channels = {"L": 1, "RGB": 3}.get(image.mode)
    if channels is None or len(image.tile) != 1 or image.tile[0].codec_name != "raw":
        return None
    shape = (image.height, image.width, channels)[: 2 if channels == 1 else 3]
    offset = image.tile[0].offset
    if offset + int(np.prod(shape, dtype="int64")) > os.path.getsize(path):
        raise ValueError("the file is truncated")
    return np.memmap(path, "uint8", mode="r", offset=offset, shape=shape)


def _slices(window):
    top, left, height, width = window
    return np.s_[top : top + height, left : left + width]


def _cut(image, window):
    """A window of a decoded Pillow image; of the whole no copy is made."""
    top, left, height, width = window
    if (top, left, height, width) == (0, 0, image.height, image.width):
        return image
    return image.crop((left, top, left + width, top + height))


def _eight_bits(image):
    if image.mode.startswith("I"):
        pixels = np.clip(np.asarray(image), 0, 65535).astype("int32")
        return ((pixels + 128) // 257).astype("uint8")
    if image.mode == "F":
        raise ValueError("images of 32-bit floats have no known range")
    return np.asarray(image.convert("RGB"))


def needs_pillow(files, reader):
    """Fails early where a file cannot be read without Pillow."""
    if any(not file.lower().endswith(".npy") for file in files):
        pillow(reader)
