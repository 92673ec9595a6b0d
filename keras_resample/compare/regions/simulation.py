"""How much of what matters adaptive pooling keeps, on simulated distributions (Appendix A)."""

import numpy as np
from keras import ops

from keras_resample.ops.confidence import adaptive_rates, best_windows

LENGTH, SAMPLES = 56, 2000
# Of the middle and the standard deviation of the Gaussian, over the length of the distribution.
MIDDLES, DEVIATIONS = (0.2, 0.8), (0.05, 0.25)
RATE = 0.5
RECIPE = (
    f"{SAMPLES} distributions of {LENGTH} places: uniform random scores times a Gaussian whose "
    f"middle is uniform in {MIDDLES} and whose standard deviation is uniform in {DEVIATIONS} of "
    "the length"
)


def simulate(k):
    """What is kept of random keypoint distributions.

    Args:
        k: values of k.

    Returns:
        A list of a dict for each k: `"coverage"`, the mean share of the keypoints in the crop,
        and `"rate"`, its mean share of the length; both also `"bounded"`, with a crop of at least
        half of the length, as pooling by a half has.
    """
    keypoints = distributions(np.random.default_rng(0))
    found = []
    for value in k:
        free, rate = kept(keypoints, value, 0.0)
        bounded, bounded_rate = kept(keypoints, value, RATE)
        found.append(
            {
                "k": value,
                "coverage": free,
                "rate": rate,
                "bounded_coverage": bounded,
                "bounded_rate": bounded_rate,
            }
        )
    return found


def distributions(random):
    """Keypoint distributions by the `RECIPE`: float32 (samples, length)."""
    place = (np.arange(LENGTH) + 0.5) / LENGTH
    middle = random.uniform(*MIDDLES, (SAMPLES, 1))
    deviation = random.uniform(*DEVIATIONS, (SAMPLES, 1))
    scores = random.random((SAMPLES, LENGTH))
    return (scores * np.exp(-0.5 * ((place - middle) / deviation) ** 2)).astype("float32")


def kept(keypoints, k, least):
    """Mean share of the keypoints that lie in the crops, and mean share of the length they are."""
    columns = ops.convert_to_tensor(keypoints[:, :, None])
    count = keypoints.shape[1]
    rates = ops.convert_to_numpy(adaptive_rates(columns, k=k, rate=least))[:, 0]
    lengths = np.clip(np.floor(rates * count + 0.5), 1, count).astype("float32")
    sides = ops.convert_to_tensor(np.stack([lengths, np.ones_like(lengths)], axis=1))
    boxes = ops.convert_to_numpy(best_windows(columns, sides))
    place = np.arange(count)
    inside = (place >= boxes[:, 1:2]) & (place < boxes[:, 3:4])
    shares = (keypoints * inside).sum(1) / keypoints.sum(1)
    return float(shares.mean()), float((lengths / count).mean())
