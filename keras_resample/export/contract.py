"""What a SavedModel expects and returns, as a file inside of it."""

import dataclasses
import json
import pathlib

DEFAULT, ANY_SIZE, BYTES = "serving_default", "embed_any_size", "serve_bytes"
# The same as `BYTES`, by the name of the first versions.
JPEG = "serve_jpeg"
OF_FILES = (BYTES, JPEG)

# What the decoders of image files can deliver.
DECODABLE_CHANNELS = (1, 3, 4)
# What Pillow reads without a warning, a quarter of a gigabyte in RGB.
MAX_PIXELS = 89_478_485

CONTRACT_FILE = "assets.extra/keras_resample.json"


@dataclasses.dataclass
class Contract:
    """What a served model expects and returns; written into the SavedModel as JSON.

    Attributes:
        input_shape: shape of the float endpoint's images, `None` where unknown.
        input_dtype: their dtype.
        image_size: `(height, width)` that files are resized to, or to smaller `resolutions`.
        channels: of the images.
        data_format: `"channels_last"` or `"channels_first"`.
        output_name: key of the output.
        scale: factor of the byte values.
        offset: added to the scaled byte values.
        endpoints: names.
        resolutions: `(height, width)` of a network of several, its own first; else none.
        max_pixels: of an encoded image; larger ones are refused before they are decoded.
        indicator, rounding: of `keras_resample.ops.choose_resolution`, by which one of
            `resolutions` serves an image.
        batch_requests: whether the files of several requests run together.
    """

    input_shape: tuple
    input_dtype: str
    image_size: tuple
    channels: int
    data_format: str
    output_name: str
    scale: float
    offset: float
    endpoints: tuple
    resolutions: tuple = ()
    max_pixels: int = MAX_PIXELS
    indicator: str = "max"
    rounding: str = "ceil"
    batch_requests: bool = False

    @classmethod
    def read(cls, folder):
        """The contract of the SavedModel at `folder`.

        Raises:
            ValueError: for one that this version did not write.
        """
        try:
            return cls(**json.loads((pathlib.Path(folder) / CONTRACT_FILE).read_text("utf-8")))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`path` must hold {CONTRACT_FILE} as this version writes it ({error}). "
                f"Received: path={str(folder)!r}"
            ) from error

    @property
    def rule(self):
        """What `keras_resample.ops.choose_resolution` takes after sizes."""
        return self.resolutions, self.indicator, self.rounding

    def shape_of(self, size):
        """Shape of the images of a size, `(height, width)`."""
        if self.data_format == "channels_first":
            return (None, self.channels, *size)
        return (None, *size, self.channels)

    def write(self, folder):
        """Writes the contract into the SavedModel at `folder`."""
        file = pathlib.Path(folder) / CONTRACT_FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")


def branch_endpoint(resolution):
    """Name of the endpoint that takes images of a branch's resolution."""
    height, width = resolution
    return f"embed_{height}x{width}"


def endpoints_of(resolutions):
    """Names of all endpoints that a model of these resolutions can have, its own the first."""
    if not resolutions:
        return (DEFAULT, *OF_FILES)
    return (DEFAULT, *map(branch_endpoint, resolutions[1:]), ANY_SIZE, *OF_FILES)
