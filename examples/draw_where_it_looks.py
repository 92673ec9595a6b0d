"""The picture of the README: where a recognizer of palmprints has learned to look.

    python examples/draw_where_it_looks.py --out docs/images/where_it_looks.png

It trains a small recognizer behind FlowWarp on synthetic palmprints (minutes on two CPU cores) and
draws a palm that it has not seen under the learned grid, beside what a resize and the learned
sampler make of it at the same number of pixels.
"""

import argparse
from pathlib import Path

SIDE, FACTOR, BATCH = 112, 0.125, 32  # pixels, of the side, images
FORMATS = (".png", ".pdf", ".svg", ".jpg")
NETWORK = {"depths": (1, 1, 1, 1), "filters": (16, 32, 64, 128), "embedding_dim": 128}


def trained_sampler(identities, images_per_identity, epochs):
    """FlowWarp in front of a recognizer, after training."""
    import keras

    import keras_resample as kr

    keras.utils.set_random_seed(0)
    palms = kr.datasets.bezier_palms(identities, images_per_identity, size=(SIDE, SIDE))
    images = keras.Input((SIDE, SIDE, 1))
    sampler = kr.layers.FlowWarpDownsample(FACTOR, antialias=True, data_format="channels_last")
    x = sampler(images)
    network = kr.models.IResNet(input_shape=x.shape[1:], data_format="channels_last", **NETWORK)
    recognizer = kr.models.Recognizer(
        keras.Model(images, network(x)), kr.heads.ArcFace(identities, scale=32.0)
    )
    views, labels = palms.arrays()
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, epochs * -(-len(labels) // BATCH))
    recognizer.compile(keras.optimizers.Adam(schedule), metrics=["accuracy"])
    recognizer.fit(views, labels, batch_size=BATCH, epochs=epochs, verbose=2)
    return sampler


def draw(sampler, palm):
    """The palm (h, w, 1) under the grid, and what a resize and the sampler make of it."""
    import keras
    from matplotlib.figure import Figure

    import keras_resample as kr

    resize = kr.layers.UniformDownsample(FACTOR, antialias=True, data_format="channels_last")
    small = {"resized": resize, "sampled by the learned grid": sampler}
    figure = Figure(figsize=(9.6, 3.3), layout="constrained")
    axes = figure.subplots(1, 3)
    kr.visualization.plot_grid(sampler, palm, ax=axes[0])
    axes[0].set_title(f"{SIDE} x {SIDE}, and the learned grid", fontsize=10)
    for ax, (title, layer) in zip(axes[1:], small.items(), strict=True):
        pixels = keras.ops.convert_to_numpy(layer(palm[None]))[0, :, :, 0]
        ax.imshow(pixels, cmap="gray", interpolation="nearest")
        ax.set_title("{0} x {0}, {1}".format(len(pixels), title), fontsize=10)
    for ax in axes:
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    return figure


def count(text):
    """A positive integer of the command line."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a positive integer. Received: {text}")
    return int(text)


def picture(text):
    """The path of a picture, in a folder that exists before minutes of training."""
    path = Path(text)
    if path.suffix not in FORMATS or not path.parent.is_dir():
        must = f"must end in one of {', '.join(FORMATS)}, in an existing folder"
        raise argparse.ArgumentTypeError(f"{must}. Received: {text}")
    return path


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--identities", type=count, default=80)
    parser.add_argument("--images-per-identity", type=count, default=24)
    parser.add_argument("--epochs", type=count, default=4)
    parser.add_argument("--out", type=picture, default="where_it_looks.png")
    options = parser.parse_args(arguments)

    import keras_resample as kr

    sampler = trained_sampler(options.identities, options.images_per_identity, options.epochs)
    palm = kr.datasets.bezier_palms(1, 1, size=(SIDE, SIDE), seed=1, noise=0.0).image(0)
    draw(sampler, palm).savefig(options.out, dpi=120)


if __name__ == "__main__":
    main()
