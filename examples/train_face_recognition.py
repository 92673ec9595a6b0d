"""Trains a recognizer by a configuration file: any data, sampler, backbone, head and schedule.

    python examples/train_face_recognition.py examples/configs/palms.toml
    python examples/train_face_recognition.py examples/configs/arcface_ms1mv3.toml --out runs/1
    python examples/train_face_recognition.py CONFIG --set training.epochs=2 head.margin=0.4

The file has the sections `data`, `sampler`, `backbone`, `head`, `optimizer`, `schedule` and
`training`; `examples/configs` has one for each published recipe. A backbone is one of
`keras_resample.models` or of `keras.applications`. What `validation` names, one path or a list, is
a `.bin` file of pairs or a folder with a folder of images for each identity.

A backbone that is told keypoints, such as `KeypointViT`, needs `keypoints` in the section `data`: a
file or several, with the images of `train` and of the validation folders, or "template" where all
images are aligned. Those of a `.bin` file are taken as aligned. A section `warp` moves images and
keypoints as one in training.

A run that was stopped goes on when it is started again with the same `--out`, after its last
complete epoch and with the batches it would have seen. Curves are in `OUT/logs` (TensorBoard) and
`OUT/log.csv`, the recognizer in `OUT/recognizer.keras`, the best of all epochs in `OUT/best.keras`.
"""

import argparse
import csv
import inspect
import os
from pathlib import Path

from training_configuration import explained, fail, paths_of, read_config

# What published face networks take: (p / 255 - 0.5) / 0.5 of pixels p.
VALUE_RANGE = (-1, 1)
PATH_KEYS = ("train", "validation", "keypoints")
# Arguments that a configuration does not give.
UNSAID = ("self", "args", "kwargs", "input_shape", "input_tensor", "num_classes")


def check(config):
    """Ends the script at a path, a name or an argument that cannot be used, before any work."""
    import keras_resample as kr

    data, optimizer = config["data"], dict(config["optimizer"])
    for key in PATH_KEYS:
        for path in paths_of(data, key):
            if path not in ("palms", "template") and not Path(path).exists():
                fail(f"[data] {key} = {path!r} does not exist")
    names = [Path(path).stem for path in paths_of(data, "validation")]
    if len(set(names)) < len(names):
        fail(f"[data] validation must be files and folders of different names, not {names}")
    rate = optimizer.pop("learning_rate")
    rate = schedule_of(config["schedule"], rate, 1, config["training"]["epochs"])
    optimizer_of(optimizer, rate)
    named(kr.heads, config["head"], 2)
    for section in ("sampler", "warp"):
        if section in config:
            named(kr.layers, config[section], data_format="channels_last")
    backbone_of(config["backbone"])
    check_keypoints(config)


def check_keypoints(config):
    """Ends the script where keypoints and what is done with them do not fit together."""
    data, name = config["data"], config["backbone"]["name"]
    given, taken = "keypoints" in data, takes_keypoints(name)
    if given != taken:
        fail(f"[data] {'has' if given else 'lacks'} keypoints. Received: backbone {name!r}")
    if "warp" in config and not given:
        fail("[warp] moves images with their keypoints, which [data] lacks")
    if given and "sampler" in config:
        fail("[sampler] cannot stand before a backbone with keypoints: it moves pixels alone")
    if given and data.get("flip"):
        fail("[data] flip = true is not for keypoints: left and right would change places")


def takes_keypoints(name):
    """Whether a backbone of that name has a second input."""
    import keras_resample as kr

    make = getattr(kr.models, name, None)
    return make is not None and "num_keypoints" in inspect.signature(make).parameters


def optimizer_of(section, rate):
    """The optimizer, told which weights do not decay by parts of their names."""
    import keras

    options = dict(section)
    names = options.pop("exclude_from_weight_decay", None)
    optimizer = named(keras.optimizers, options, learning_rate=rate)
    if names:
        optimizer.exclude_from_weight_decay(var_names=names)
    return optimizer


def named(module, section, *arguments, **defaults):
    """The object that a section names, `name = "ArcFace"`, with its other keys as arguments."""
    name = section.get("name")
    make = chosen(name, classes(module), section, module.__name__)
    options = {key: value for key, value in section.items() if key != "name"}
    with explained(f"name = {name!r}"):
        return make(*arguments, **{**defaults, **options})


def classes(module):
    """What a module offers under names that begin with a capital, by name."""
    return {name: value for name, value in vars(module).items() if name[0].isupper()}


def chosen(name, choices, options, place):
    """The class or function of a name among choices, which has to take the options."""
    if name not in choices:
        fail(f"{place} has no name = {name!r}; it has {', '.join(choices)}")
    make = choices[name]
    makers = [part.__init__ for part in make.__mro__] if isinstance(make, type) else [make]
    known = dict.fromkeys(key for maker in makers for key in inspect.signature(maker).parameters)
    unknown = [key for key in options if key not in {"name", *known}]
    if unknown:
        known = [key for key in known if key not in UNSAID]
        fail(f"{name} has no {unknown}; it has {known}")
    return make


def read_dataset(data, training):
    """Training data by the kind of path: records, a list, a folder, an archive, or palms."""
    import keras_resample as kr

    path, size = data["train"], tuple(data.get("size", (112, 112)))
    options = {"batch_size": training["batch_size"], "seed": training.get("seed", 0)}
    options |= {"workers": training.get("workers", 1), "value_range": VALUE_RANGE}
    with explained(f"[data] train = {path!r}"):
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
    else:
        decay = learning_rate
    return kr.callbacks.WarmUp(decay, warm) if warm else decay


def backbone_of(section):
    """The function from images to embeddings that [backbone] names."""
    import keras

    import keras_resample as kr

    own = {
        name: make
        for name, make in classes(kr.models).items()
        if "embedding_dim" in inspect.signature(make).parameters
    }
    applications = classes(keras.applications)
    name, options = section.get("name"), dict(section)
    del options["name"]
    if name not in applications:
        make = chosen(name, own | applications, options, "[backbone]")
        return lambda x: make(input_shape=tuple(images_in(x).shape[1:]), **options)(x)
    embedding_dim = options.pop("embedding_dim", 512)
    chosen(name, applications, options, "[backbone]")
    return lambda x: application(name, x, embedding_dim, options)


def images_in(inputs):
    """The images of inputs with keypoints or without."""
    return inputs["images"] if isinstance(inputs, dict) else inputs


def application(name, x, embedding_dim, options):
    """Embeddings of images by a network of `keras.applications`, without its classifier."""
    import keras

    package = next(p for p in vars(keras.applications).values() if hasattr(p, name))
    if x.shape[-1] == 1:
        x = keras.layers.Concatenate()([x, x, x])
    low, high = VALUE_RANGE
    x = package.preprocess_input(255 * (x - low) / (high - low))
    options = {"include_top": False, "pooling": "avg", "weights": None, **options}
    network = getattr(package, name)(input_shape=tuple(x.shape[1:]), **options)
    return keras.layers.Dense(embedding_dim, name="embedding")(network(x))


def inputs_of(config, shape):
    """Images, or a dict of images and their keypoints."""
    import keras

    if "keypoints" not in config["data"]:
        return keras.Input(shape, name="image")
    count = config["backbone"].get("num_keypoints", 5)
    keypoints = keras.Input((count, 2), dtype="float32", name="keypoints")
    return {"images": keras.Input(shape, name="images"), "keypoints": keypoints}


def augmented(config, inputs):
    """What training changes at random before anything else."""
    import keras

    import keras_resample as kr

    if "warp" in config:
        with explained("[warp]"):
            warp = named(kr.layers, config["warp"], data_format="channels_last")
            images, keypoints = warp(inputs["images"], inputs["keypoints"])
            return {"images": images, "keypoints": keypoints}
    if not isinstance(inputs, dict) and config["data"].get("flip", True):
        return keras.layers.RandomFlip("horizontal", data_format="channels_last")(inputs)
    return inputs


def build(config, train, steps):
    """The compiled recognizer."""
    import keras

    import keras_resample as kr

    inputs = inputs_of(config, train.image_shape)
    x = augmented(config, inputs)
    if "sampler" in config:
        with explained("[sampler]"):
            x = named(kr.layers, config["sampler"], data_format="channels_last")(x)
    with explained("[backbone]"):
        embedding = backbone_of(config["backbone"])(x)
    encoder = keras.Model(inputs, embedding, name="encoder")
    head = named(kr.heads, config["head"], train.num_classes)
    training, optimizer = config["training"], dict(config["optimizer"])
    losses = []
    if "triplet_margin" in training:
        triplet = kr.losses.BatchHardTriplet(margin=training["triplet_margin"])
        losses = [(triplet, training.get("triplet_weight", 1.0))]
    recognizer = kr.models.Recognizer(encoder, head, auxiliary_losses=losses)
    rate = optimizer.pop("learning_rate")
    rate = schedule_of(config["schedule"], rate, steps, training["epochs"])
    optimizer = optimizer_of(optimizer, rate)
    recognizer.build(encoder.input_shape)  # a run can be resumed from the first step on
    recognizer.compile(optimizer, metrics=["accuracy"])
    return recognizer


def best_so_far(out, name, best):
    """What an earlier run in `out` reached, or None."""
    log = out / "log.csv"
    if not log.exists():
        return None
    with log.open(newline="") as file:
        rows = csv.DictReader(file)
        values = [float(row[name]) for row in rows if row.get(name) not in (None, "", "nan")]
    return best(values, default=None)


def told(data, dataset):
    """The dataset, with the keypoints that [data] has."""
    if "keypoints" not in data:
        return dataset
    from aligned_keypoints import with_keypoints

    return with_keypoints(dataset, data["keypoints"])


def aligned(data, images):
    """Images of a file of pairs, where [data] has keypoints with those of aligned faces."""
    if "keypoints" not in data:
        return images
    from aligned_keypoints import AlignedImages

    return AlignedImages(images)


def validation_sets(data, image_shape):
    """Sets of pairs, and labelled images of which all pairs are verified, by their names."""
    import keras_resample as kr

    pairs, people = {}, {}
    options = {"size": image_shape[:2], "value_range": VALUE_RANGE}
    for path in map(Path, paths_of(data, "validation")):
        place = f"[data] validation = {str(path)!r}"
        with explained(place):
            if path.is_dir():
                images = kr.datasets.image_folder(path, shuffle=False, **options)
                people[path.stem] = (told(data, images), images.labels)
            else:
                found = kr.datasets.verification_pairs(path, **options)
                images = found.images
                pairs[path.stem] = (aligned(data, images), found.same)
        if images.image_shape != image_shape:
            fail(f"{place}: its images are {images.image_shape}, those of train {image_shape}")
    return pairs, people


def callbacks_of(config, recognizer, train, test, out):
    """Verification, curves and resume; whoever writes a log comes after the verification."""
    import keras

    import keras_resample as kr

    pairs, people = validation_sets(config["data"], train.image_shape)
    if test is not None:
        people["test"] = (test, test.labels)
    calls = [train.epoch_callback(), kr.callbacks.EpochSeeds(config["training"].get("seed", 0))]
    best = {"filepath": str(out / "best.keras")}
    if pairs:
        monitor = f"{next(iter(pairs))}_accuracy"
        best |= {"monitor": monitor, "initial_value_threshold": best_so_far(out, monitor, max)}
        calls.append(kr.callbacks.VerificationCallback(pairs, **best))
        best = {}
    if people:
        if best:
            monitor = f"{next(iter(people))}_eer"
            best |= {"monitor": monitor, "initial_value_threshold": best_so_far(out, monitor, min)}
        calls.append(kr.callbacks.VerificationCallback(people, {"eer": kr.metrics.eer}, **best))
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

    check(config)
    training = config["training"]
    keras.utils.set_random_seed(training.get("seed", 0))
    keras.config.set_image_data_format("channels_last")
    if training.get("mixed_precision"):
        keras.mixed_precision.set_global_policy("mixed_float16")
    with explained(f"--out {out}"):
        out.mkdir(parents=True, exist_ok=True)
    data, test = read_dataset(config["data"], training), None
    with explained("[data]"):
        if config["data"].get("half_identities"):
            data, test = kr.datasets.half_identities(data)
            test = told(config["data"], test)
        data = told(config["data"], data)
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
    print(f"Saved {out / 'recognizer.keras'}")
    if (out / "best.keras").exists():
        print(f"The best of all epochs is {out / 'best.keras'}")
    else:
        print("No best epoch was kept: [data] has neither validation nor half_identities")
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
