"""Where to look: by a flow or by saliency, learned once or predicted for every image.

    python examples/compare_samplers.py
    python examples/compare_samplers.py --images faces.npz --factor 0.25 --epochs 30 --seeds 0 1 2
    python examples/compare_samplers.py --methods "flow, learned" "saliency, learned" --antialias

Table 5 of "Beyond Predictive Resampling" on any images: a recognizer is trained on half of the
identities behind each sampler, and verifies all pairs of images of the other half. Saliency is that
of "Learning to Zoom" and, under the name of Jin, that of "Learning to Downsample": its network and
its narrower window. A uniform resize and the antialiased one, the baseline to beat, are below. The
default data are drawn palmprints; all samplers share the network, the seeds and the schedule.
"""

import argparse
import json
import os
from pathlib import Path

FAR = 1e-2
BATCH = 32
# A map no larger than the images are sampled to: (height, width).
MAP = (16, 16)
# Of the window of "Learning to Downsample": its radius, and its full width at half maximum.
JIN_RADIUS = 4
# The network of the comparison, small enough for a laptop.
NETWORK = {"depths": (1, 1, 1, 1), "filters": (16, 32, 64, 128), "embedding_dim": 128}
LAST = {"data_format": "channels_last"}


def flow_network():
    """Small convolutional network from images to a flow, zero at the start."""
    import keras

    conv = keras.layers.Conv2D
    return keras.Sequential(
        [
            conv(16, 3, strides=2, padding="same", activation="relu", **LAST),
            conv(16, 3, strides=2, padding="same", activation="relu", **LAST),
            conv(2, 3, padding="same", kernel_initializer="zeros", **LAST),
        ],
        name="flow_network",
    )


def samplers(image_size):
    """Name and constructor, from the common arguments, of every sampler of the table."""
    import keras_resample as kr

    zoom = {"grid_size": MAP, "saliency_input_size": tuple(min(n, 64) for n in image_size)}
    jin = {"grid_size": MAP, "sigma": JIN_RADIUS / 2.355, "radius": JIN_RADIUS}
    flow, saliency = kr.layers.FlowWarpDownsample, kr.layers.SaliencySampler

    def jin_predicted(**common):
        module = kr.layers.DeformationModule(**LAST)
        size = zoom["saliency_input_size"]
        return saliency(saliency=module, saliency_input_size=size, **jin, **common)

    return {
        "saliency, learned": lambda **c: saliency(saliency="learned", grid_size=MAP, **c),
        "saliency, predicted": lambda **c: saliency(**zoom, **c),
        "saliency of Jin, learned": lambda **c: saliency(saliency="learned", **jin, **c),
        "saliency of Jin, predicted": jin_predicted,
        "flow, learned": lambda **c: flow(**c),
        "flow, predicted": lambda **c: flow(flow=flow_network(), **c),
        "uniform": lambda **c: kr.layers.UniformDownsample(**{**c, "antialias": False}),
        "uniform, antialiased": lambda **c: kr.layers.UniformDownsample(**{**c, "antialias": True}),
    }


def verify(train, test, make, options, seed, progress):
    """EER and TAR, in percent, of one training."""
    import keras

    import keras_resample as kr

    keras.utils.set_random_seed(seed)
    images = keras.Input(train.image_shape)
    x = make(factor=options.factor, antialias=options.antialias, **LAST)(images)
    x = kr.models.IResNet(input_shape=tuple(x.shape[1:]), **NETWORK)(x)
    head = kr.heads.ArcFace(train.num_classes, margin=options.margin, scale=32.0)
    model = kr.models.Recognizer(keras.Model(images, x), head)
    train.seed, train.epoch = seed, 0
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, options.epochs * len(train))
    model.compile(keras.optimizers.Adam(schedule))
    model.fit(
        train,
        epochs=options.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[
            train.epoch_callback(),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress.add(1)),
        ],
    )
    scores, same = kr.metrics.all_pairs(model.embed(test[0], batch_size=256), test[1])
    (tar,) = kr.metrics.tar_at_far(scores, same, [FAR])
    return [100 * float(kr.metrics.eer(scores, same)), 100 * float(tar)]


def table(results, methods, seeds):
    """Markdown: mean and standard deviation over the seeds."""
    import numpy as np

    lines = [f"| sampler | EER, % | TAR at FAR {FAR:g}, % |", "|---|---|---|"]
    for method in methods:
        values = np.array([results[f"{method}, {seed}"] for seed in seeds])
        cells = [f"{m:.2f} +- {s:.2f}" for m, s in zip(values.mean(0), values.std(0), strict=True)]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def dataset_of(options):
    import keras_resample as kr

    if options.images:
        return kr.datasets.npz(options.images, batch_size=BATCH)
    counts = (options.identities, options.images_per_identity)
    return kr.datasets.bezier_palms(*counts, size=(options.size,) * 2, batch_size=BATCH, seed=1)


def compare(options):
    """Trains what is not in OUT/results.json yet; returns the table."""
    import keras

    import keras_resample as kr

    keras.config.set_image_data_format("channels_last")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    record = out / "results.json"
    results = json.loads(record.read_text()) if record.exists() else {}
    train, test = kr.datasets.half_identities(dataset_of(options))
    images, labels = train.arrays()
    train = kr.datasets.from_arrays(images, labels, batch_size=min(BATCH, len(labels)))
    test = test.arrays()
    known = samplers(train.image_shape[:2])
    wanted = [(m, seed) for seed in options.seeds for m in options.methods or known]
    if unknown := [method for method, _ in wanted if method not in known]:
        raise SystemExit(f"compare_samplers: no methods {unknown}; there are {list(known)}")
    print(f"{train.num_images} images to train, {len(test[1])} to verify, {len(wanted)} trainings")
    progress = keras.utils.Progbar(len(wanted) * options.epochs, unit_name="epoch")
    for method, seed in wanted:
        key = f"{method}, {seed}"
        if key in results:
            progress.add(options.epochs)
            continue
        results[key] = verify(train, test, known[method], options, seed, progress)
        record.write_text(json.dumps(results, indent=1))
        keras.backend.clear_session()
    page = table(results, options.methods or list(known), options.seeds)
    (out / "results.md").write_text(page + "\n")
    print(f"\n{page}\n\nWritten: {out / 'results.md'}")
    return page


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", help=".npz of images and labels (default: drawn palmprints)")
    parser.add_argument("--identities", type=int, default=60, help="of the palmprints")
    parser.add_argument("--images-per-identity", type=int, default=12, help="of the palmprints")
    parser.add_argument("--size", type=int, default=64, help="side of the palmprints in pixels")
    parser.add_argument("--factor", type=float, default=0.25, help="side after sampling")
    parser.add_argument("--antialias", action="store_true", help="of every sampler that moves")
    parser.add_argument("--margin", type=float, default=0.2, help="of ArcFace")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", help="only these samplers")
    parser.add_argument("--out", default="runs/compare_samplers", help="folder of the results")
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"))
    options = parser.parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    return compare(options)


if __name__ == "__main__":
    main()
