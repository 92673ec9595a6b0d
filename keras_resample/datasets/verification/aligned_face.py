"""A face turned and scaled so that its five points lie where recognition networks expect them."""

import numpy as np

from keras_resample.datasets.files.image_decoding import FileImage, pillow, to_array
from keras_resample.ops.alignment import FACE_TEMPLATE, fit_similarity


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

    The inverse of the least-squares similarity from the landmarks to the template.

    Args:
        landmarks: `(5, 2)` x, y in pixels, centres at integers.
        size: `(height, width)` of the aligned face.

    Returns:
        `(2, 3)`, for coordinates with pixel centres at `i + 0.5`.
    """
    source = np.asarray(landmarks, "float64") + 0.5
    target = FACE_TEMPLATE * size[::-1]
    if not np.isfinite(source).all():
        raise ValueError("its landmarks lie nowhere")
    inverse, means, is_found = fit_similarity(source[None], target, np)
    if not is_found.all():
        raise ValueError("its landmarks lie in one point")
    (real,), (imaginary,) = (part[0] for part in inverse)
    linear = np.array([[real, -imaginary], [imaginary, real]])
    shift = means[0][0] - linear @ means[1][0]
    return np.column_stack([linear, shift])
