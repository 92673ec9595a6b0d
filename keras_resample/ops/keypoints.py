"""Keypoints: places (x, y) of images that something found, relative as all coordinates here."""

from keras import ops


def as_keypoints(keypoints):
    """`keypoints` as a float32 tensor (batch, n, 2)."""
    keypoints = ops.cast(ops.convert_to_tensor(keypoints), "float32")
    check_keypoints(keypoints.shape)
    return keypoints


def check_keypoints(keypoints, batch=None):
    """Raises unless the shape of keypoints is (batch, n, 2), of the batch if that is known."""
    keypoints = tuple(keypoints)
    if len(keypoints) != 3 or keypoints[-1] != 2 or keypoints[1] == 0:
        raise ValueError(
            "`keypoints` must have shape (batch, n, 2): n relative (x, y) for each image. "
            f"Received: keypoints of shape {keypoints}"
        )
    if None not in (batch, keypoints[0]) and keypoints[0] != batch:
        raise ValueError(
            f"`keypoints` must have the batch of the images, {batch}. "
            f"Received: keypoints of shape {keypoints}"
        )


def check_batches(keypoints, other, name):
    """Raises unless the shapes of keypoints and `other` have one batch, or one a batch of 1."""
    if len({keypoints[0], other[0]} - {1, None}) > 1:
        raise ValueError(
            f"`keypoints` must have the batch of `{name}`, {other[0]}. "
            f"Received: keypoints of shape {tuple(keypoints)}"
        )
