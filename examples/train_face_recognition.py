"""Trains a recognizer by a configuration file: any data, sampler, backbone, head and schedule.

    python examples/train_face_recognition.py examples/configs/palms.toml
    python examples/train_face_recognition.py examples/configs/arcface_ms1mv3.toml --out runs/1
    python examples/train_face_recognition.py CONFIG --set training.epochs=2 head.margin=0.4

The file has the sections `data`, `sampler`, `backbone`, `head`, `optimizer`, `schedule` and
`training`; `examples/configs` has one for each published recipe. A run that was stopped goes on
when it is started again with the same `--out`, after its last complete epoch and with the batches
it would have seen. Curves are in `OUT/logs` (TensorBoard) and `OUT/log.csv`, the recognizer in
`OUT/recognizer.keras`, the best of all epochs in `OUT/best.keras`.
"""

import argparse
import contextlib
import csv
import os
import tomllib
from pathlib import Path

# What published face networks take: (p / 255 - 0.5) / 0.5 of pixels p.
VALUE_RANGE = (-1, 1)

SECTIONS = {
    "data": (
        "train",
        "validation",
        "size",
        "half_identities",
        "flip",
        "classes_per_batch",
        "images_per_class",
        "num_identities",
        "images_per_identity",
    ),
    "sampler": None,
    "backbone": None,
    "head": None,
    "optimizer": None,
    "schedule": ("name", "warmup_epochs", "power", "milestones", "rate", "end_learning_rate"),
    "training": (
        "epochs",
        "batch_size",
        "mixed_precision",
        "seed",
        "workers",
        "triplet_margin",
        "triplet_weight",
    ),
}
REQUIRED = ("data", "backbone", "head", "optimizer", "schedule", "training")


def fail(message):
    raise SystemExit(f"train_face_recognition: {message}")


def read_config(path, changes=()):
    """The sections of a configuration file, with `section.key=value` changes, checked."""
    try:
        config = tomllib.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        fail(f"{path} cannot be read: {error}")
    for change in changes:
        name, _, value = change.partition("=")
        section, _, key = name.partition(".")
        if not key or not value:
            fail(f"--set takes section.key=value. Received: {change!r}")
        with contextlib.suppress(tomllib.TOMLDecodeError):  # a bare word is text
            value = tomllib.loads(f"value = {value}")["value"]
        config.setdefault(section, {})[key] = value
    for section, keys in config.items():
        if section not in SECTIONS:
            fail(f"section [{section}] must be one of {list(SECTIONS)}")
        unknown = [key for key in keys if SECTIONS[section] and key not in SECTIONS[section]]
        if unknown:
            fail(f"[{section}] has no {unknown}; it has {list(SECTIONS[section])}")
    missing = [section for section in REQUIRED if section not in config]
    if missing:
        fail(f"{path} lacks the sections {missing}")
    return config


def named(module, section, *arguments, **defaults):
    """The object that a section names, `name = "ArcFace"`, with its other keys as arguments."""
    options = {**defaults, **section}
    name = options.pop("name", None)
    if not isinstance(name, str) or name.startswith("_") or not hasattr(module, name):
        fail(f"{module.__name__} has no name = {name!r}")
    try:
        return getattr(module, name)(*arguments, **options)
    except (TypeError, ValueError) as error:
        fail(f"{name}: {error}")


def read_dataset(data, training):
    """Training data by the kind of path: records, a list, a folder, an archive, or palms."""
    import keras_resample as kr

    path, size = data["train"], tuple(data.get("size", (112, 112)))
    options = {"batch_size": training["batch_size"], "seed": training.get("seed", 0)}
    options |= {"workers": training.get("workers", 1), "value_range": VALUE_RANGE}
    try:
        if path == "palms":
            counts = {key: data[key] for key in ("num_identities", "images_per_identity")}
            return kr.datasets.bezier_palms(**counts, size=size, **options)
        if path.endswith(".npz"):
            return kr.datasets.npz(path, **options)
        if path.endswith(".rec"):
            return kr.datasets.FaceRecords(path, size=size, **options)
        if path.endswith((".txt", ".list")):
            return kr.datasets.image_list(path, size=size, **options)
        return kr.datasets.image_folder(path, size=size, **options)
    except (OSError, KeyError, TypeError, ValueError) as error:
        fail(f"[data] train = {path!r}: {error}")


def schedule_of(schedule, learning_rate, steps, epochs):
    """The learning rate over a training of `epochs` epochs of `steps` steps."""
    import keras

    import keras_resample as kr

    warm = round(schedule.get("warmup_epochs", 0) * steps)
    left = max(epochs * steps - warm, 1)
    end = schedule.get("end_learning_rate", 0.0)
    name = schedule.get("name", "constant")
    if name == "polynomial":
        decay = keras.optimizers.schedules.PolynomialDecay(
            learning_rate, left, end, power=schedule.get("power", 1.0)
        )
    elif name == "cosine":
        decay = keras.optimizers.schedules.CosineDecay(
            learning_rate, left, alpha=end / learning_rate
        )
    elif name == "multistep":
        at = [round(epoch * steps) - warm for epoch in schedule["milestones"]]
        rate = schedule.get("rate", 0.1)
        rates = [learning_rate * rate**k for k in range(len(at) + 1)]
        decay = keras.optimizers.schedules.PiecewiseConstantDecay(at, rates)
    elif name == "constant":
        decay = learning_rate
    else:
        fail(f"[schedule] name must be polynomial, multistep, cosine or constant, not {name!r}")
    return kr.callbacks.WarmUp(decay, warm) if warm else decay


def build(config, train, steps):
    """The compiled recognizer."""
    import keras

    import keras_resample as kr

    shape = train.image_shape
    images = keras.Input(shape, name="image")
    x = images
    if config["data"].get("flip", True):
        x = keras.layers.RandomFlip("horizontal", data_format="channels_last")(x)
    if "sampler" in config:
        x = named(kr.layers, config["sampler"], data_format="channels_last")(x)
    embedding = named(kr.models, config["backbone"], input_shape=tuple(x.shape[1:]))(x)
    encoder = keras.Model(images, embedding, name="encoder")
    head = named(kr.heads, config["head"], train.num_classes)
    training, optimizer = config["training"], dict(config["optimizer"])
    losses = []
    if "triplet_margin" in training:
        triplet = kr.losses.BatchHardTriplet(margin=training["triplet_margin"])
        losses = [(triplet, training.get("triplet_weight", 1.0))]
    recognizer = kr.models.Recognizer(encoder, head, auxiliary_losses=losses)
    rate = optimizer.pop("learning_rate")
    rate = schedule_of(config["schedule"], rate, steps, training["epochs"])
    optimizer = named(keras.optimizers, optimizer, learning_rate=rate)
    recognizer.build((None, *shape))  # a run can be resumed from the first step on
    recognizer.compile(optimizer, metrics=["accuracy"])
    return recognizer


def best_so_far(out, name, best):
    """What an earlier run in `out` reached, or None."""
    log = out / "log.csv"
    if not log.exists():
        return None
    with log.open(newline="") as file:
        values = [float(row[name]) for row in csv.DictReader(file) if row.get(name)]
    return best(values, default=None)


def callbacks_of(config, recognizer, train, test, out):
    """Verification, curves and resume; whoever writes a log comes after the verification."""
    import keras

    import keras_resample as kr

    size = train.image_shape[:2]
    sets = {
        Path(path).stem: kr.datasets.verification_pairs(path, size=size, value_range=VALUE_RANGE)
        for path in config["data"].get("validation", [])
    }
    calls = [train.epoch_callback(), kr.callbacks.EpochSeeds(config["training"].get("seed", 0))]
    best = {"filepath": str(out / "best.keras")}
    if sets:
        monitor = f"{next(iter(sets))}_accuracy"
        best |= {"monitor": monitor, "initial_value_threshold": best_so_far(out, monitor, max)}
        calls.append(kr.callbacks.VerificationCallback(sets, **best))
        best = {}
    if test is not None:
        if best:
            best |= {"monitor": "test_eer"}
            best |= {"initial_value_threshold": best_so_far(out, "test_eer", min)}
        protocol = {"eer": kr.metrics.eer}
        test = {"test": (test, test.labels)}
        calls.append(kr.callbacks.VerificationCallback(test, protocol, **best))
    warps = [x for x in recognizer.encoder.layers if isinstance(x, kr.layers.FlowWarpDownsample)]
    calls += [kr.callbacks.JacobianLogger()] if warps else []
    calls.append(keras.callbacks.CSVLogger(str(out / "log.csv"), append=True))
    try:
        import tensorboard  # noqa: F401

        calls.append(keras.callbacks.TensorBoard(str(out / "logs")))
    except ImportError:
        print("tensorboard is not installed: the curves are in log.csv only")
    calls.append(keras.callbacks.BackupAndRestore(str(out / "backup"), delete_checkpoint=False))
    return calls


def train(config, out):
    """Trains to the end, from where an earlier run with the same `out` stopped."""
    import keras

    import keras_resample as kr

    training = config["training"]
    keras.utils.set_random_seed(training.get("seed", 0))
    keras.config.set_image_data_format("channels_last")
    if training.get("mixed_precision"):
        keras.mixed_precision.set_global_policy("mixed_float16")
    out.mkdir(parents=True, exist_ok=True)
    data, test = read_dataset(config["data"], training), None
    if config["data"].get("half_identities"):
        data, test = kr.datasets.half_identities(data)
    if "classes_per_batch" in config["data"]:
        counts = (config["data"][key] for key in ("classes_per_batch", "images_per_class"))
        data = data.balanced_batches(*counts)
    print(f"{data.num_images} images of {data.num_classes} identities, {len(data)} steps an epoch")
    recognizer = build(config, data, len(data))
    recognizer.fit(
        data,
        epochs=training["epochs"],
        shuffle=False,
        callbacks=callbacks_of(config, recognizer, data, test, out),
    )
    recognizer.save(out / "recognizer.keras")
    print(f"Saved {out / 'recognizer.keras'}; the best of all epochs is {out / 'best.keras'}")
    return recognizer


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="configuration file (.toml)")
    parser.add_argument("--set", nargs="+", default=[], metavar="section.key=value", dest="changes")
    parser.add_argument("--out", help="folder of the run (default: runs/NAME OF THE FILE)")
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"))
    options = parser.parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    config = read_config(options.config, options.changes)
    train(config, Path(options.out or Path("runs", Path(options.config).stem)))


if __name__ == "__main__":
    main()
