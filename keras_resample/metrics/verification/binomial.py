"""How many of many independent trials succeed."""

import numpy as np

# Standard deviations on each side of the mean that hold all of it but rounding, and counts more.
REACH, MORE = 12.0, 40


def binomial_bounds(trials, rates, confidence):
    """The counts between which the number of successes lies with a probability.

    Args:
        trials: Integer, at least 1.
        rates: float64 array of probabilities of a success.
        confidence: In (0, 1). The two tails hold at most half of the rest each.

    Returns:
        int64 arrays of the shape of `rates`: the smallest and the largest of these counts.
    """
    flat = [_bounds(trials, rate, (1 - confidence) / 2) for rate in np.ravel(rates).tolist()]
    return np.array(flat, "int64").reshape(-1, 2).T.reshape(2, *np.shape(rates))


def _bounds(trials, rate, tail):
    if rate in (0.0, 1.0):
        return int(rate) * trials, int(rate) * trials
    mean, reach = trials * rate, REACH * np.sqrt(trials * rate * (1 - rate)) + MORE
    counts = np.arange(max(0, int(mean - reach)), min(trials, int(mean + reach)) + 1)
    # P(k + 1) / P(k) is the odds times what is left over what is counted.
    steps = np.log((trials - counts[:-1]) / (counts[:-1] + 1)) + np.log(rate / (1 - rate))
    logarithms = np.r_[0.0, np.cumsum(steps)]
    share = np.exp(logarithms - logarithms.max())
    below = np.cumsum(share) / share.sum()
    above = np.cumsum(share[::-1])[::-1] / share.sum()
    return counts[np.argmax(below > tail)], counts[len(counts) - 1 - np.argmax(above[::-1] > tail)]
