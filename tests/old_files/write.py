"""Write the files of this folder, with the package as it is now: see README.md.

    KERAS_BACKEND=tensorflow python -m tests.old_files.write FOLDER

Each case is a built model whose weights are random and, where it is compiled, has trained a step.
"""

import pathlib
import sys
import zipfile

import keras
import numpy as np
from keras import layers

import keras_resample as kr

CHANNELS_LAST = {"data_format": "channels_last"}
SIDE, CLASSES = 16, 5


def images(count=4, side=SIDE, seed=0):
    """Random images (count, side, side, 3) in [0, 1]."""
    values = np.random.default_rng(seed).random((count, side, side, 3))
    return values.astype("float32")


def labels(model, count=4):
    """Identities (count,) for a recognizer, label maps (count, side, side) for a segmenter."""
    shape = (count, SIDE, SIDE) if isinstance(model, kr.models.Segmenter) else (count,)
    return np.random.default_rng(1).integers(0, CLASSES, shape)


def sampled(sampler):
    """A Functional model of one layer on images."""
    inputs = keras.Input((SIDE, SIDE, 3))
    return keras.Model(inputs, sampler(inputs))


def small_convolution(channels):
    return layers.Conv2D(channels, 3, padding="same", **CHANNELS_LAST)


def samplers():
    half = {"factor": 0.5, **CHANNELS_LAST}
    warp, saliency = kr.layers.FlowWarpDownsample, kr.layers.SaliencySampler
    yield "grid_sampler", kr.layers.GridSampler(size=(7, 9), fill_mode="reflect", **CHANNELS_LAST)
    yield "uniform", kr.layers.UniformDownsample(antialias=True, **half)
    yield "flow_learned", warp(flow_regularizer="l2", **half)
    yield "flow_predicted", warp(flow=small_convolution(2), **half)
    yield "flow_antialiased", warp(antialias=True, fill_mode="constant", fill_value=0.5, **half)
    yield "saliency_default", saliency(grid_size=(6, 5), **half)
    yield "saliency_learned", saliency(saliency="learned", grid_size=(5, 6), sigma=1.0, **half)
    net = kr.layers.DeformationModule((2, 3), **CHANNELS_LAST)
    yield "saliency_deformation", saliency(saliency=net, grid_size=(8, 8), radius=3, **half)
    yield "learned_resizer", kr.layers.LearnedResizer(size=(7, 9), filters=3, **CHANNELS_LAST)


def networks():
    models = kr.models
    face = {"input_shape": (SIDE, SIDE, 3), "embedding_dim": 4, **CHANNELS_LAST}
    scene = {"num_classes": CLASSES, "input_shape": (33, 48, 3), **CHANNELS_LAST}
    yield "iresnet", models.IResNet((1, 1), (4, 8), **face)
    yield "iresnet_magface", models.IResNet((1, 1), (4, 4), family="magface", **face)
    yield "iresnet_curricularface", models.IResNet((1, 2), (4, 4), family="curricularface", **face)
    yield "mobilefacenet", models.MobileFaceNet(depths=(2, 1, 1, 1), filters=2, **face)
    small = {"num_bottlenecks": 1, "num_modules": (1, 1, 1), "num_blocks": 1}
    yield "hrnet_v2", models.HRNetV2(2, **small, **scene)
    yield "pspnet", models.PSPNet((1, 1, 1, 1), width=2, auxiliary=True, **scene)


def encoder(sampler=None):
    sampler = sampler or kr.layers.FlowWarpDownsample(0.5, **CHANNELS_LAST)
    flat = [layers.Flatten(**CHANNELS_LAST), layers.Dense(4)]
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), sampler, *flat])


def trained_models():
    heads, losses = kr.heads, kr.losses
    trunk = heads.CosFace(CLASSES)
    trunk.build((None, 4))
    every_loss = [(losses.BatchHardTriplet(0.5), 0.1), losses.InfluenceLoss(trunk)]
    yield (
        "recognizer_arcface",
        kr.models.Recognizer(
            encoder(), heads.ArcFace(CLASSES, subcenters=2), auxiliary_losses=every_loss
        ),
    )
    yield (
        "recognizer_curricularface",
        kr.models.Recognizer(encoder(), heads.CurricularFace(CLASSES)),
    )
    yield "recognizer_adaface", kr.models.Recognizer(encoder(), heads.AdaFace(CLASSES))
    yield (
        "recognizer_sampled",
        kr.models.Recognizer(
            encoder(), heads.NormFace(CLASSES, sample_rate=0.8, seed=0, learn_scale=True)
        ),
    )
    saliency = kr.layers.SaliencySampler(0.5, saliency="learned", grid_size=(8, 8), **CHANNELS_LAST)
    network = keras.Sequential([keras.Input((None, None, 3)), small_convolution(CLASSES)])
    yield "segmenter", kr.models.Segmenter(saliency, network, ignore_class=4)


def randomize(model, seed=0):
    """Weights of 3 to 5 random bits, so that the files stay small; variances are positive."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "float" not in variable.dtype or "seed" in variable.path:
            continue
        value = np.round(random.standard_normal(variable.shape) * 8) / 8
        if "variance" in variable.path:
            value = 0.5 + np.abs(value)
        elif len(variable.shape) == 4:
            value = value / 8
        variable.assign(value)


def cases():
    for name, sampler in samplers():
        model = sampled(sampler)
        randomize(model)
        yield name, model
    for name, model in networks():
        randomize(model)
        yield name, model
    for name, model in trained_models():
        model.build((None, SIDE, SIDE, 3))
        randomize(model)
        model.compile(keras.optimizers.SGD(0.01, momentum=0.5), jit_compile=False)
        model.train_on_batch(images(), labels(model))
        yield name, model


def compress(path):
    """Keras stores; this folder deflates."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def outputs(model):
    """What a model predicts, a list of arrays."""
    side = model.input_shape[1:3] if hasattr(model, "input_shape") else (SIDE, SIDE)
    given = images(2, max(side))[:, : side[0], : side[1]]
    if keras.backend.backend() == "jax":  # one compilation is quicker than one an operation
        return keras.tree.flatten(model.predict_on_batch(given))
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(given, training=False))]


def main(folder):
    folder = pathlib.Path(folder)
    numbers = {}
    for name, model in cases():
        model.save(folder / f"{name}.keras")
        compress(folder / f"{name}.keras")
        numbers |= {f"{name}/{i}": y for i, y in enumerate(outputs(model))}
        if name == "recognizer_arcface":
            kr.export.saved_model(model, folder / "encoder" / "1", **CHANNELS_LAST)
            numbers["encoder"] = outputs(model.encoder)[0]
        if model.compiled:
            numbers[f"{name}/loss"] = model.train_on_batch(images(), labels(model))[0]
            numbers[f"{name}/next"] = outputs(model)[0]
    np.savez_compressed(folder / "numbers.npz", **numbers)


if __name__ == "__main__":
    main(*sys.argv[1:])
