"""How every reader decodes image files and encoded images, with Pillow."""

import io
import os

import numpy as np

GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")
# What the field's containers hold. Pillow's other decoders have no business there.
CONTAINED_FORMATS = ("JPEG", "PNG", "BMP", "WEBP")


def pillow(reader):
    """Pillow's `Image` module, or an error that says what `reader` needs."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"`{reader}` needs Pillow: pip install keras-resample[datasets]"
        ) from error
    return Image


def open_image(source, formats=None):
    """A lazily decoded Pillow image of a file name or of encoded bytes.

    Raises:
        ValueError: for an empty source.
        PIL.Image.DecompressionBombError: for more than `PIL.Image.MAX_IMAGE_PIXELS` pixels.
        Exception: whatever Pillow raises for what is no image.
    """
    Image = pillow("keras_resample.datasets")
    encoded = isinstance(source, bytes)
    if (len(source) if encoded else os.path.getsize(source)) == 0:
        raise ValueError("it is empty" if encoded else "the file is empty")
    image = Image.open(io.BytesIO(source) if encoded else source, formats=formats)
    limit = Image.MAX_IMAGE_PIXELS
    # Pillow only warns up to twice its limit.
    if limit is not None and image.width * image.height > limit:
        image.close()
        raise Image.DecompressionBombError(f"more than {limit} pixels")
    return image


def image_header(source, verify=False, formats=None):
    """`((height, width), mode)`; with `verify` every pixel is decoded too."""
    with open_image(source, formats) as image:
        header = (image.height, image.width), image.mode
        if verify:
            to_array(image, None, 3)
    return header


def decode_image(source, size, channels, formats=None):
    """float32 `(h, w, channels)` in `[0, 1]`, resized to `size` unless it is None."""
    with open_image(source, formats) as image:
        return to_array(image, size, channels)


def decode_sized(source, size, resize, channels):
    """An image of a container as `decode_image`; without `resize` it must have its `size`."""
    with open_image(source, CONTAINED_FORMATS) as image:
        if not resize and (image.height, image.width) != size:
            raise ValueError(
                f"it is {image.height} x {image.width}, not {size[0]} x {size[1]} like the "
                "others; give `size=(height, width)` to resize"
            )
        return to_array(image, size, channels)


def to_array(image, size, channels):
    """Pixels of a Pillow image: float32 `(h, w, channels)` in `[0, 1]`."""
    Image = pillow("keras_resample.datasets")
    scale = 255
    if image.mode.startswith("I"):  # 16 bits a pixel
        scale = 65535
        image = Image.fromarray(np.asarray(image).astype("float32"))
    elif image.mode == "F":
        raise ValueError("images of 32-bit floats have no known range")
    else:
        image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype="float32")
    pixels = np.clip(pixels / np.float32(scale), 0, 1)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], channels, axis=-1)
    return pixels
