"""Segments large images at a small size: uniform, edge-based, interpolated and learned sampling.

    python examples/segment_high_resolution.py
    python examples/segment_high_resolution.py --camvid DIR --sizes 45x60 90x120 --seeds 0 1 2
    python examples/segment_high_resolution.py --methods uniform-antialiased joint --loss focal

Trains the same network behind each way of downsampling, on generated street scenes or on the data
of a folder, and measures what Jin et al., "Learning to Downsample for Segmentation of
Ultra-High Resolution Images" (ICLR 2022), compare. Table, numbers and pictures are in OUT
(results.md, results.json, figures). A run that was stopped goes on: finished trainings are kept.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from segmentation.names import DEFAULT, METHODS, title, variants

# What a result depends on; the other options only say which results to get.
FIXED = "images scene_size network width epochs batch_size learning_rate loss balance"
FIXED = (*FIXED.split(), "edge_weight", "binary_edges", "sigma", "map_scale")


def parser():
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = top.add_mutually_exclusive_group()
    data.add_argument("--camvid", metavar="DIR", help="folder of CamVid")
    data.add_argument("--cityscapes", metavar="DIR", help="folder of Cityscapes")
    data.add_argument("--deep-globe", metavar="DIR", help="folder of DeepGlobe land cover")

    def option(flag, text, **kwargs):
        default = kwargs.get("default")
        shown = " ".join(map(str, default)) if isinstance(default, list) else default
        top.add_argument(
            flag, help=text if shown is None else f"{text} (default: {shown})", **kwargs
        )

    option("--images", "training images (default: all; 128 scenes)", type=int)
    option("--scene-size", "of generated scenes", default="128x256", metavar="HxW")
    option("--sizes", "what is sampled", nargs="+", default=["16x32", "32x64"], metavar="HxW")
    option(
        "--methods",
        f"of {', '.join(METHODS)}",
        nargs="+",
        choices=METHODS,
        default=DEFAULT,
        metavar="NAME",
    )
    option("--blur-radii", "of edge-based sampling", nargs="+", type=float, default=[1, 2])
    option("--seeds", "each trains every method once", nargs="+", type=int, default=[0])
    option("--epochs", "passes over the training images", type=int, default=30)
    option("--network", "of segmentation", choices=("unet", "hrnet", "pspnet"), default="unet")
    option("--width", "channels of its finest level (default: 16, HRNet 48)", type=int)
    option("--batch-size", "images in a batch", type=int, default=8)
    option("--learning-rate", "of Adam at the start", type=float, default=1e-3)
    option("--loss", "of the samples", choices=("crossentropy", "focal"), default="crossentropy")
    option("--balance", "weigh classes by 1 / ln(1.02 + frequency)", action="store_true")
    option("--edge-weight", "of the joint loss", type=float, default=100.0)
    option("--binary-edges", "all class borders are equal edges", action="store_true")
    option("--sigma", "of the sampler's Gaussian, in cells of the output", type=float, default=2.5)
    option("--map-scale", "saliency map over the output's size", type=int, default=1)
    option("--pictures", "test images to draw", type=int, default=2)
    option("--out", "folder of the results", default="runs/segmentation")
    option("--report", "train nothing, report what is finished", action="store_true")
    option("--backend", "framework", choices=("tensorflow", "jax", "torch"))
    return top


def read(arguments=None):
    """The options of a command line; sizes as pairs of integers."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(arguments)
    options.scene_size = pair(options.scene_size)
    options.sizes = [pair(size) for size in options.sizes]
    if options.camvid or options.cityscapes or options.deep_globe:
        options.scene_size = None
    else:
        options.images = options.images or 128
    # Where things lie on this machine is nobody's business.
    shown = [Path(word).name if Path(word).is_absolute() else word for word in arguments]
    options.command = shlex.join(["python", "examples/segment_high_resolution.py", *shown])
    return options


def pair(text):
    """(height, width) of HxW."""
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        fail(f"a size is HEIGHTxWIDTH in pixels. Received: {text!r}")
    return int(height), int(width)


def fail(message):
    raise SystemExit(f"segment_high_resolution: {message}")


class Store:
    """The folder of a comparison: numbers in results.json, steps of the pictures beside it."""

    def __init__(self, out, settings):
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.file = self.out / "results.json"
        earlier = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.content = {"settings": settings, "commands": [], "runs": {}, "speed": {}, **earlier}
        old, new = (json.loads(json.dumps(s)) for s in (self.content["settings"], settings))
        changed = [key for key in FIXED if old.get(key) != new[key]]
        if changed:
            fail(f"{out} holds results of another {', '.join(changed)}: take another --out")
        self.content["settings"] = settings

    def save(self):
        from keras_resample.compare.engine.results import atomic, finite

        with atomic(self.file) as path:
            path.write_text(json.dumps(finite(self.content), indent=1) + "\n", encoding="utf-8")

    def keep(self, key, model, pictures):
        """Stores what pictures and the measurement of speed need of a training."""
        import numpy as np

        arrays = {f"{place}/{name}": a for place, steps in pictures for name, a in steps.items()}
        (self.out / "steps").mkdir(exist_ok=True)
        np.savez_compressed(self.out / "steps" / f"{key}.npz", **arrays)
        model.save_weights(self.weights(key))

    def weights(self, key):
        return self.out / "steps" / f"{key}.weights.h5"

    def pictures(self, key):
        """Pairs of the number of an image and its steps, none where they were not kept."""
        import numpy as np

        path, found = self.out / "steps" / f"{key}.npz", {}
        if path.exists():
            with np.load(path) as arrays:
                for name, array in arrays.items():
                    place, _, step = name.partition("/")
                    found.setdefault(int(place), {})[step] = array
        return sorted(found.items())


def compare(options, report=print):
    """Trains what is missing, writes the report, and returns the content of results.json."""
    import keras
    from segmentation import data, training
    from segmentation import report as pages

    from keras_resample.compare.engine.machine import describe

    keras.config.set_image_data_format("channels_last")
    store = Store(options.out, {name: vars(options)[name] for name in (*FIXED, "seeds")})
    train, test, description = data.load(options)
    store.content |= {"data": description, "machine": describe()}
    if not options.report and options.command not in store.content["commands"]:
        store.content["commands"].append(options.command)
    weights = data.class_weights(train) if options.balance else None
    runs = store.content["runs"]
    wanted = {
        f"{name} {height}x{width} seed {seed}": (name, (height, width), seed)
        for seed in options.seeds
        for height, width in options.sizes
        for name in variants(options.methods, options.blur_radii)
    }
    progress = training.progress_of(wanted, options, test.image_shape, report)
    for number, (key, (name, size, seed)) in enumerate(wanted.items(), start=1):
        if key in runs or options.report:
            progress.skip(key)
            continue
        callbacks = [training.progress_callback(progress, key)]
        model, record = training.train(name, size, seed, options, train, weights, callbacks)
        num_pictures = options.pictures if seed == options.seeds[0] else 0
        found, pictures = training.evaluate(model, name, size, options, test, num_pictures)
        runs[key] = {"method": name, "size": size, "seed": seed, **record, **found}
        if seed == options.seeds[0]:
            store.keep(key, model, pictures)
        store.save()
        keras.backend.clear_session()
        progress.line(
            f"[{number}/{len(wanted)}] {title(name)}, {size[0]}x{size[1]}, seed {seed}: mIoU "
            f"{100 * found['mean_iou']:.1f} % ({record['seconds']:.0f} s)"
        )
    first = f"seed {options.seeds[0]}"
    for size in options.sizes:
        speeds = store.content["speed"].setdefault(f"{size[0]}x{size[1]}", {})
        names = list(variants(options.methods, options.blur_radii))
        if not options.report and not set(names) <= set(speeds):
            speeds |= training.speed(
                names, size, options, test, lambda n, s: store.weights(f"{n} {s[0]}x{s[1]} {first}")
            )
    figures = pages.write(store.content, test, store.out, steps_of(store, options))
    store.content["figures"] = figures
    store.save()
    report(f"Written: {store.out / 'results.md'}")
    return store.content


def steps_of(store, options):
    """What gives the steps of the shown images by name of a training and size."""
    seed, count = options.seeds[0], options.pictures
    return lambda name, size: store.pictures(f"{name} {size[0]}x{size[1]} seed {seed}")[:count]


def figures(options):
    """Pictures of a finished comparison, one for each size and shown image."""
    from segmentation import data
    from segmentation import report as pages

    store = Store(options.out, {name: vars(options)[name] for name in (*FIXED, "seeds")})
    _, test, _ = data.load(options)
    runs = store.content["runs"]
    return [
        figure
        for size in options.sizes
        for figure in pages.panels(runs, size, test, steps_of(store, options))
    ]


def main(arguments=None):
    options = read(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    compare(options)


if __name__ == "__main__":
    main()
