"""A face turned and scaled so that its five points lie where recognition networks expect them."""

import numpy as np

from keras_resample.datasets.files.image_decoding import FileImage, pillow, to_array

# Eyes (left in the image first), nose and corners of the mouth in a 112 x 112 face of insightface,
# in pixels with centres at integers.
TEMPLATE_SIDE = 112
TEMPLATE = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)


class AlignedFace(FileImage):
    """Decodes one image file and aligns it by its landmarks `(n, 5, 2)`.

    The similarity transform is the least-squares one from the landmarks to the template; pixels
    are read bilinearly without antialiasing, black outside, as in the published evaluations.
    """

    def __init__(self, files, size, channels, landmarks):
        super().__init__(files, size, channels)
        self.landmarks = landmarks

    def verify(self, index):
        """Decodes and aligns an image, or raises."""
        self(index)

    def select(self, indices):
        """Keeps some of the images."""
        self.files = [self.files[index] for index in indices]
        self.landmarks = self.landmarks[indices]

    def pixels(self, image, index):
        """The aligned face: float32 `(h, w, channels)` in `[0, 1]`."""
        Image = pillow("IJBProtocol")
        image = image.convert("L" if self.channels == 1 else "RGB").transform(
            self.size[::-1],
            Image.Transform.AFFINE,
            to_image(self.landmarks[index], self.size).ravel().tolist(),
            Image.Resampling.BILINEAR,
        )
        return to_array(image, None, self.channels)


def to_image(landmarks, size):
    """The map from places in the aligned face to places in the image.

    With points as complex numbers, `template = a * landmark + b`; least squares give
    `a = sum conj(l) t / sum |l|^2` of the centred points. This is its inverse.

    Args:
        landmarks: `(5, 2)` x, y in pixels, centres at integers.
        size: `(height, width)` of the aligned face.

    Returns:
        `(2, 3)`, for coordinates with pixel centres at `i + 0.5`.
    """
    source = np.asarray(landmarks, "float64") + 0.5
    target = (TEMPLATE + 0.5) * (np.array(size[::-1]) / TEMPLATE_SIDE)
    source, target = source @ (1, 1j), target @ (1, 1j)
    centred = source - source.mean()
    spread = np.vdot(centred, centred).real
    a = np.vdot(centred, target) / spread if spread > 0 else 0
    if not np.isfinite(a) or a == 0:
        raise ValueError("its landmarks lie in one point, or nowhere")
    inverse = 1 / a
    shift = source.mean() - inverse * target.mean()
    return np.array(
        [
            [inverse.real, -inverse.imag, shift.real],
            [inverse.imag, inverse.real, shift.imag],
        ]
    )
