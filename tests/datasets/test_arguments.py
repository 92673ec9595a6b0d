"""Arguments that many readers share."""

import functools

import numpy as np
import pytest

from keras_resample import datasets

SIZES = {
    "list": [16, 24],
    "array": np.array([16, 24]),
    "numpy integers": (np.int64(16), np.uint8(24)),
}


@pytest.mark.parametrize("kind", SIZES)
def test_a_size_is_two_integers_of_any_kind(kind):
    size = SIZES[kind]
    palms = datasets.bezier_palms(np.int64(2), 1, size=size, channels=np.int64(3), seed=np.int64(1))
    assert palms.image_shape == (16, 24, 3)
    assert palms[0][0].shape == (2, 16, 24, 3)
    beetles = datasets.fine_grained_scenes(np.int64(2), 1, size=size, num_cameras=np.int64(2))
    assert beetles.image(1).shape == (16, 24, 3)
    scenes = datasets.generated_scenes(1, size=size, data_format="channels_last")
    assert scenes.image_shape == scenes.windows(size).image_shape == (16, 24, 3)
    large = datasets.generated_scenes(1, size=(32, 32), crop=size, data_format="channels_last")
    assert large[0][0].shape == (1, 16, 24, 3)
    assert large.read(0, np.array([0, 8, 16, 24]))[1].shape == (16, 24)


@pytest.mark.parametrize("size", [16, (16,), (16, 24.0), (16, True), "16", np.array([16.0, 24.0])])
def test_a_size_is_nothing_else(size):
    for make in (
        lambda: datasets.bezier_palms(2, 1, size=size),
        lambda: datasets.fine_grained_scenes(2, 1, size=size),
        lambda: datasets.digits(size=size),
        lambda: datasets.generated_scenes(1, size=size),
        lambda: datasets.generated_scenes(1, size=(32, 32)).windows(size),
    ):
        with pytest.raises(ValueError, match="`size` must be two positive integers.*Received"):
            make()
    with pytest.raises(ValueError, match="`crop` must be two positive integers.*Received: crop="):
        datasets.generated_scenes(1, size=(32, 32), crop=size)


@pytest.mark.parametrize("value", [1, 0, "yes"], ids=repr)
def test_switches_are_true_or_false(value, tmp_path):
    palms, scenes = datasets.bezier_palms(2, 1), datasets.generated_scenes(1)
    for name, make in (
        ("shuffle", lambda **switch: datasets.bezier_palms(2, 1, **switch)),
        ("flip", lambda **switch: datasets.generated_scenes(1, **switch)),
        ("progress", palms.arrays),
        ("progress", scenes.arrays),
        *(
            (name, functools.partial(read, tmp_path))
            for name in ("verify", "progress")
            for read in (
                datasets.image_folder,
                datasets.FaceRecords,
                datasets.verification_pairs,
                datasets.IJBProtocol,
            )
        ),
    ):
        with pytest.raises(ValueError, match=f"`{name}` must be True or False. Received: {name}="):
            make(**{name: value})
