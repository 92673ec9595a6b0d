"""Keypoints in numpy: relative, of as many images as there are."""

import numpy as np

# So far outside of an image is no keypoint of it: more likely it is in pixels.
LOWEST, HIGHEST = -1.0, 2.0


def as_relative_keypoints(keypoints, num_images):
    """`keypoints` as float32 `(num_images, k, 2)`, NaN where missing.

    Raises:
        ValueError: for another shape, or places far outside of the images.
    """
    keypoints = np.asarray(keypoints)
    is_shaped = keypoints.ndim == 3 and keypoints.shape[1] and keypoints.shape[2] == 2
    if not is_shaped or keypoints.dtype.kind not in "fiu":
        raise ValueError(
            "`keypoints` must be numbers (n, k, 2), relative (x, y) of k points for each image. "
            f"Received: keypoints of shape {keypoints.shape} and dtype {keypoints.dtype}"
        )
    if len(keypoints) != num_images:
        raise ValueError(
            f"`keypoints` must be those of {num_images} images. "
            f"Received: keypoints of {len(keypoints)}"
        )
    check_range(keypoints)
    return keypoints.astype("float32")


def check_range(keypoints, name="keypoints"):
    """Raises for places far outside of an image, such as pixels; NaN is a missing keypoint."""
    far = (keypoints < LOWEST) | (keypoints > HIGHEST)
    if far.any():
        raise ValueError(
            f"`{name}` must be relative: 0 and 1 are the outer edges of the image. Pixels? Use "
            f"(pixels + 0.5) / (width, height). Received: {name} with {keypoints[far][0]:g}"
        )
