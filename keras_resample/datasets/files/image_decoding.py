"""How every reader decodes image files and encoded images, with Pillow.

An image is turned as its EXIF orientation says, here and nowhere else: `decoded_image` gives its
pixels upright, and `upright_size` the size that they will have, from the header.
"""

import contextlib
import io
import os

import numpy as np

from keras_resample.arguments import as_integer, check_choice

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# EXIF's tag; its values from 5 on exchange rows and columns.
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)
# Tags of TIFF 6.0.
WIDTH, HEIGHT = 256, 257
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")


def pillow(reader):
    """Pillow's `Image` module, or an error that says what `reader` needs."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"`{reader}` needs Pillow: pip install keras-resample[datasets]"
        ) from error
    return Image


def as_channels(channels):
    """`channels` as 1 (grey) or 3 (RGB)."""
    channels = as_integer(channels, "channels")
    check_choice(channels, "channels", (1, 3))
    return channels


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


def orientation(image):
    """EXIF's number of how a Pillow image is to be turned, 1 for not at all.

    It is that of the EXIF block in the header, and no other metadata; where it cannot be read
    the image is left as it is.
    """
    # Pillow raises errors of many types for EXIF that is damaged; the pixels may be sound.
    try:
        if image.format == "TIFF":  # Pillow turns it by these tags
            exif = image.getexif()
        else:  # for a PNG file without EXIF `getexif` decodes the pixels; it obeys XMP as well
            exif = pillow("keras_resample.datasets").Exif()
            exif.load(image.info.get("exif") or b"")
        return exif.get(ORIENTATION, 1)
    except Exception:
        return 1


def upright_size(image):
    """`(height, width)` of a Pillow image when it is turned as EXIF says; it is not decoded."""
    size = image.height, image.width
    if image.format == "TIFF":  # versions of Pillow differ in which size they give
        size = image.tag_v2[HEIGHT], image.tag_v2[WIDTH]
    return size[::-1] if orientation(image) in SIDEWAYS else size


@contextlib.contextmanager
def decoded_image(source, formats=None):
    """A decoded Pillow image, turned as EXIF says; see `open_image`."""
    with open_image(source, formats) as image:
        yield _upright(image)


def image_header(source, verify=False, formats=None):
    """`((height, width), mode)`, turned; with `verify` every pixel is decoded too."""
    with open_image(source, formats) as image:
        header = upright_size(image), image.mode
        if verify:
            to_array(_upright(image), None, 3)
    return header


def _upright(image):
    turn = orientation(image)
    image.load()
    if image.format == "TIFF":  # Pillow has turned it
        return image
    Turn = pillow("keras_resample.datasets").Transpose
    method = {
        2: Turn.FLIP_LEFT_RIGHT,
        3: Turn.ROTATE_180,
        4: Turn.FLIP_TOP_BOTTOM,
        5: Turn.TRANSPOSE,
        6: Turn.ROTATE_270,
        7: Turn.TRANSVERSE,
        8: Turn.ROTATE_90,
    }.get(turn)
    return image if method is None else image.transpose(method)


def to_array(image, size, channels):
    """Pixels of a Pillow image, in `size` if given: float32 `(h, w, channels)` in `[0, 1]`."""
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


class FileImage:
    """Decodes one image file from its index.

    Args:
        files: paths.
        size: `(height, width)` to resize to, or `None`.
        channels: 1 (grey) or 3 (RGB).
        boxes: `(left, top, right, bottom)` of each file, the part that is read; see `part_of`.
    """

    def __init__(self, files, size, channels, boxes=None):
        self.files = files
        self.size = size
        self.channels = channels
        self.boxes = boxes

    def __call__(self, index):
        return name_errors(self.files[index], self._decoded, index)

    def header(self, index, verify):
        """`((height, width), mode)` of a file; with `verify` every pixel is decoded too."""
        file = self.files[index]
        return name_errors(file, self._header, index, verify)

    def _header(self, index, verify):
        (height, width), mode = image_header(self.files[index], verify)
        if self.boxes is None:
            return (height, width), mode
        left, top, right, bottom = part_of((height, width), self.boxes[index])
        return (bottom - top, right - left), mode

    def select(self, indices):
        """Keeps some of the files."""
        self.files = [self.files[index] for index in indices]
        if self.boxes is not None:
            self.boxes = [self.boxes[index] for index in indices]

    def pixels(self, image, index):
        """What is served of a decoded image: float32 `(h, w, channels)` in `[0, 1]`."""
        if self.boxes is not None:
            image = image.crop(part_of((image.height, image.width), self.boxes[index]))
        return to_array(image, self.size, self.channels)

    def _decoded(self, index):
        with decoded_image(self.files[index]) as image:
            return self.pixels(image, index)


def part_of(size, box):
    """A box `(left, top, right, bottom)` in pixels, as far as it lies in an image of this size.

    A fifth number says how many of the lowest rows of the image are left out, such as a banner.
    """
    left, top, right, bottom, *lowest = box
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, size[1]), min(bottom, size[0] - sum(lowest))
    if left >= right or top >= bottom:
        raise ValueError(f"there is nothing of it in the box {(*box,)}")
    return left, top, right, bottom


def pixel_box(left, top, right, bottom):
    """The four as a box of `part_of`; pixels count from 0, and `right` and `bottom` are behind it.

    Raises:
        ValueError: for a box that is empty or begins outside of every image.
    """
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError(f"there is no box from {(left, top)} to {(right, bottom)}")
    return left, top, right, bottom


def name_errors(file, function, *args):
    """`function(*args)`, an error of which names the file, and what to do about it."""
    # Pillow's decoders raise errors of many types, not all of them documented.
    try:
        return function(*args)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(
            f"File {file!r} cannot be read ({type(error).__name__}: {error}). Repair or remove it, "
            "or build the dataset again with on_error='skip', verify=True. Received: "
            f"{os.path.getsize(file) if os.path.exists(file) else 'no file'} bytes"
        ) from error
