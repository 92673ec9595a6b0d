"""Why a plain resize by an even factor is a lucky one: the same grid, shifted by half a pixel.

    python benchmarks/phase.py [--seeds 0 1]

Trains the recognizer of `python -m keras_resample compare --size 64 64` behind a uniform grid at a
quarter of the side that reads half-way between pixels (shift 0: the mean of 2 x 2) and at
pixels (shift 0.5: decimation), and prints the EER and TAR on unseen palms.
"""

import argparse

import keras
import numpy as np

import keras_resample as kr
from keras_resample.compare.recognition.front_ends import SMALL

EPOCHS, BATCH, FARS = 6, 32, (1e-2, 1e-3, 1e-4)


def verify(train, test, shift, seed):
    """EER and TARs of a recognizer behind a fixed grid shifted by `shift` pixels."""
    keras.utils.set_random_seed(seed)
    images = keras.Input(train[0].shape[1:])
    warp = kr.layers.FlowWarpDownsample(0.25, trainable=False, data_format="channels_last")
    x = warp(images)
    warp.set_flow(np.full(warp.flow.shape, shift))
    x = kr.models.IResNet(input_shape=tuple(x.shape[1:]), **SMALL)(x)
    head = kr.heads.ArcFace(int(train[1].max()) + 1, scale=32.0, margin=0.5)
    model = kr.models.Recognizer(keras.Model(images, x), head)
    steps = EPOCHS * len(train[0]) // BATCH
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)))
    model.fit(*train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    scores, same = kr.metrics.all_pairs(model.embed(test[0], batch_size=256), test[1])
    return kr.metrics.eer(scores, same), kr.metrics.tar_at_far(scores, same, FARS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    seeds = parser.parse_args().seeds
    palms = kr.datasets.bezier_palms(160, 24, size=(64, 64))
    train, test = (half.arrays() for half in kr.datasets.half_identities(palms))
    for seed in seeds:
        for shift in (0.0, 0.5):
            eer, tars = verify(train, test, shift, seed)
            rates = ", ".join(f"{100 * t:.1f} % at {f:g}" for f, t in zip(FARS, tars, strict=True))
            print(f"seed {seed}, shift {shift} pixels: EER {100 * eer:.2f} %, TAR {rates}")


if __name__ == "__main__":
    main()
