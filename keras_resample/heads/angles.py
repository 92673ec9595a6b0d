"""Cosines of changed angles, from cosines and without forming an angle where it can be avoided."""

import math

from keras import ops

from keras_resample.arguments import as_number, check_choice

# Margins, in radians, that can be added to an angle.
ANGLES = f"[0, {math.pi})"
BEYOND_PI = ("hard", "plain", "easy", "clip", "reflect")


def check_beyond_pi(beyond_pi):
    """Raises unless `beyond_pi` is one of the names."""
    check_choice(beyond_pi, "beyond_pi", BEYOND_PI)


def as_angle(margin, name="margin"):
    """A margin of `ANGLES` as a float."""
    return as_number(margin, name, ANGLES)


def sine(cosine):
    """sin t of t in [0, pi]; 0 with derivative 0 where the cosine is +-1 or beyond."""
    square = ops.multiply(ops.subtract(1.0, cosine), ops.add(1.0, cosine))
    # The root has no derivative at 0, and both branches of a `where` are differentiated.
    inside = square > 0
    return ops.where(inside, ops.sqrt(ops.where(inside, square, 1.0)), 0.0)


def add_angle(cosine, margin):
    """cos(t + margin), for a margin that is a number or a tensor (b,)."""
    if isinstance(margin, float):
        return cosine * math.cos(margin) - sine(cosine) * math.sin(margin)
    return cosine * ops.cos(margin) - sine(cosine) * ops.sin(margin)


def add_margin(cosine, margin, beyond_pi):
    """cos(t + margin) continued beyond pi by name, for a number or a tensor (b,) of margins."""
    shifted = add_angle(cosine, margin)
    if beyond_pi == "plain":
        return shifted
    if beyond_pi == "easy":
        return ops.where(cosine > 0, shifted, cosine)
    if isinstance(margin, float):
        outside, drop = cosine <= -math.cos(margin), margin * math.sin(margin)
    else:
        positive = ops.maximum(margin, 0.0)  # a negative angle never leads beyond pi
        outside, drop = cosine <= -ops.cos(positive), positive * ops.sin(positive)
    beyond = {
        "hard": cosine - drop,
        "clip": -ops.ones_like(cosine),
        "reflect": -2.0 - shifted,
    }[beyond_pi]
    return ops.where(outside, beyond, shifted)  # NaN is not outside and stays


def multiply_add_margin(cosine, m1, m2, beyond_pi):
    """cos(m1 t + m2) continued beyond pi by name, for numbers `m1` and `m2`.

    With `d = pi - (pi - m2) / m1`, the angle that has been added where pi is reached, "hard" is
    `cos t - d sin d`; with `k = floor((m1 t + m2) / pi)`, "reflect" is
    `(-1)^k cos(m1 t + m2) - 2 k`. Both are what `add_margin` does where m1 = 1.
    """
    if m1 == 1:
        return add_margin(cosine, m2, beyond_pi)
    if m1 == int(m1):
        shifted = _multiple(cosine, int(m1), m2)
    else:
        shifted = ops.cos(ops.arctan2(sine(cosine), cosine) * m1 + m2)
    if beyond_pi == "plain":
        return shifted
    if beyond_pi == "easy":
        return ops.where(cosine > 0, shifted, cosine)
    # The angles in (0, pi) at which m1 t + m2 passes a multiple of pi.
    passed = [(k * math.pi - m2) / m1 for k in range(1, math.ceil(m1 + m2 / math.pi))]
    if beyond_pi == "reflect":
        folds = sum(
            (ops.cast(cosine <= math.cos(angle), "float32") for angle in passed),
            ops.zeros_like(cosine),
        )
        sign = 1.0 - 2.0 * ops.mod(folds, 2.0)
        return sign * shifted - 2.0 * folds
    if not passed:
        return shifted
    added = math.pi - passed[0]
    hard = cosine - added * math.sin(added)
    beyond = hard if beyond_pi == "hard" else -ops.ones_like(cosine)
    return ops.where(cosine <= math.cos(passed[0]), beyond, shifted)


def _multiple(cosine, m, added):
    """cos(m t + added) for an integer m >= 2, by the Chebyshev polynomials of both kinds."""
    before, first = ops.ones_like(cosine), cosine
    second_before, second = ops.ones_like(cosine), 2.0 * cosine
    for _ in range(m - 1):
        before, first = first, 2.0 * cosine * first - before
        second_before, second = second, 2.0 * cosine * second - second_before
    # Now first = cos(m t), and second_before = sin(m t) / sin t.
    if not added:
        return first
    return first * math.cos(added) - second_before * sine(cosine) * math.sin(added)
