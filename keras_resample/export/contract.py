"""What a SavedModel expects and returns, as a file inside of it."""

import dataclasses
import json
import pathlib

DEFAULT, ANY_SIZE = "serving_default", "embed_any_size"
PIXELS, BYTES, VERIFY = "serve_uint8", "serve_bytes", "verify"
# The same as `BYTES`, by the name of the first versions.
JPEG = "serve_jpeg"
OF_FILES = (BYTES, JPEG)
# Endpoints of byte values, which the model's own preprocessing is for.
OF_BYTES = (PIXELS, *OF_FILES)
# What `verify` takes, files, and what it returns.
FIRST, SECOND = "first", "second"
SCORE, SAME = "score", "same"

IMAGES = "images"

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
        output_name: key of the output, of several that of the embeddings.
        scale: factor of the byte values.
        offset: added to the scaled byte values.
        endpoints: names.
        resolutions: `(height, width)` of a network of several, its own first; else none.
        max_pixels: of an encoded image; larger ones are refused before they are decoded.
        indicator, rounding: of `keras_resample.ops.choose_resolution`, by which one of
            `resolutions` serves an image.
        batch_requests: whether the files of several requests run together.
        inputs: `[shape, dtype]` of each by its name, in the order of the model.
        outputs: the same of what is returned.
        image_name: that of the inputs which is the images.
        flip: whether embeddings are those of images and mirror images, added up.
        normalize: whether embeddings have length 1.
        threshold: cosine from which on two images show one identity, `None` where unknown.
        model: `"name"`, `"class"` and number of `"weights"`.
        versions: of what wrote it, by names.
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
    inputs: dict = dataclasses.field(default_factory=dict)
    outputs: dict = dataclasses.field(default_factory=dict)
    image_name: str = IMAGES
    flip: bool = False
    normalize: bool = False
    threshold: float | None = None
    model: dict = dataclasses.field(default_factory=dict)
    versions: dict = dataclasses.field(default_factory=dict)

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
    def input_names(self):
        """Names of the inputs, in the order of the model."""
        return tuple(self.inputs) or (self.image_name,)

    @property
    def output_names(self):
        """Names of the outputs, in the order of the model."""
        return tuple(self.outputs) or (self.output_name,)

    def inputs_of(self, endpoint):
        """`(shape, dtype)` of each input of an endpoint, by its name."""
        if endpoint == VERIFY:
            return dict.fromkeys((FIRST, SECOND), ((None,), "string"))
        named = {name: (tuple(shape), dtype) for name, (shape, dtype) in self.inputs.items()}
        return {**named, self.image_name: self._images_of(endpoint)}

    def outputs_of(self, endpoint):
        """`(shape, dtype)` of each output of an endpoint, by its name."""
        if endpoint == VERIFY:
            return {SCORE: ((None,), "float32"), SAME: ((None,), "bool")}
        return {name: (tuple(shape), dtype) for name, (shape, dtype) in self.outputs.items()}

    def _images_of(self, endpoint):
        if endpoint in OF_FILES:
            return (None,), "string"
        if endpoint == PIXELS:
            return (None, None, None, self.channels), "uint8"
        if endpoint == ANY_SIZE:
            return self.shape_of((None, None)), self.input_dtype
        branches = {branch_endpoint(size): size for size in self.resolutions[1:]}
        if endpoint in branches:
            return self.shape_of(branches[endpoint]), self.input_dtype
        return tuple(self.input_shape), self.input_dtype

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


def endpoints_of(resolutions, threshold=None):
    """Names of all endpoints that a model of these resolutions can have, its own the first."""
    branches = (*map(branch_endpoint, resolutions[1:]), ANY_SIZE) if resolutions else ()
    return (DEFAULT, *branches, *OF_BYTES, *(() if threshold is None else (VERIFY,)))
