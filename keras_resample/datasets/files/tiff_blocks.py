"""Windows of uncompressed TIFF files, read from the strips or tiles that they touch."""

import numpy as np

# Tags of TIFF 6.0.
COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANAR = 259, 262, 266, 277, 284
STRIP_OFFSETS, ROWS_PER_STRIP = 273, 278
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS = 322, 323, 324
# Grey from black to white, and RGB.
PHOTOMETRICS = {"L": 1, "RGB": 2}
CHANNELS = {"L": 1, "RGB": 3}


class TiffBlocks:
    """An uncompressed 8-bit TIFF file as an array that is read by window.

    Args:
        path: the file.
        shape: `(h, w)` or `(h, w, channels)`.
        block: `(height, width)` of its strips or tiles.
        offsets: place of each of them in the file, row by row.
    """

    def __init__(self, path, shape, block, offsets):
        self.path = path
        self.shape = shape
        self.ndim = len(shape)
        self.block = block
        self.offsets = offsets

    def __getitem__(self, window):
        """The pixels in two slices of rows and columns."""
        size = [part.stop - part.start for part in window]
        result = np.empty((*size, *self.shape[2:]), "uint8")
        file = np.memmap(self.path, "uint8", mode="r")
        across = -(-self.shape[1] // self.block[1])
        for i, rows, rows_here in _touched(window[0], self.block[0]):
            for j, columns, columns_here in _touched(window[1], self.block[1]):
                pixels = self._block(file, self.offsets[i * across + j], i)
                result[rows_here, columns_here] = pixels[rows, columns]
        return result

    def _block(self, file, offset, row):
        height, width = self.block
        if width == self.shape[1]:  # the last strip is shorter
            height = min(height, self.shape[0] - row * height)
        shape = (height, width, *self.shape[2:])
        count = int(np.prod(shape, dtype="int64"))
        if offset + count > len(file):
            raise ValueError("the file is truncated")
        return file[offset : offset + count].reshape(shape)


def tiff_blocks(path, image):
    """`TiffBlocks` of a TIFF file that Pillow has opened, `None` if it is stored otherwise."""
    tags = image.tag_v2
    channels = CHANNELS.get(image.mode)
    if (
        channels is None
        or tags.get(COMPRESSION, 1) != 1
        or tags.get(PHOTOMETRIC) != PHOTOMETRICS[image.mode]
        or tags.get(PLANAR, 1) != 1
        or tags.get(FILL_ORDER, 1) != 1
        or tags.get(SAMPLES, 1) != channels
    ):
        return None
    height, width = image.height, image.width
    if TILE_OFFSETS in tags:
        block, offsets = (tags[TILE_HEIGHT], tags[TILE_WIDTH]), tags[TILE_OFFSETS]
    else:
        block = min(tags.get(ROWS_PER_STRIP, height), height), width
        offsets = tags.get(STRIP_OFFSETS, ())
    if min(block) < 1 or len(offsets) != -(-height // block[0]) * -(-width // block[1]):
        return None
    shape = (height, width) if channels == 1 else (height, width, channels)
    return TiffBlocks(path, shape, block, offsets)


def _touched(part, side):
    """Number of each block along an axis that a slice touches, its part, and where that goes."""
    for number in range(part.start // side, -(-part.stop // side)):
        first, last = max(part.start, number * side), min(part.stop, (number + 1) * side)
        inside = slice(first - number * side, last - number * side)
        yield number, inside, slice(first - part.start, last - part.start)
