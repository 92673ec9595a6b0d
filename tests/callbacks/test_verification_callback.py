"""Verification during fit: the numbers, who sees them, and the file of the best model."""

import csv
import functools
import sys
import warnings

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.callbacks import VerificationCallback
from keras_resample.callbacks.protocol_numbers import protocol_numbers
from keras_resample.losses import BatchHardTriplet
from keras_resample.models import Recognizer
from keras_resample.models.steps.flip_embedder import FlipEmbedder
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP, step_by_step

CLASSES = 4
ACCURACY = {"verification_accuracy", "verification_accuracy_std"}


def data(n=24, seed=0):
    """Images of four easy classes, brighter on the left."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % CLASSES).astype("int32")
    images = rng.uniform(0, 0.3, (n, 6, 6, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[label : label + 2] += 1
    return images + np.linspace(0.4, 0, 6, dtype="float32")[:, None], labels


def pairs(n=20, seed=1):
    """Images of n pairs, every second of one class, and which these are."""
    images, labels = data(40 * n, seed)
    same = np.arange(n) % 2 == 0
    rng = np.random.default_rng(seed)
    chosen = []
    for one in same:
        first = rng.integers(len(labels))
        fits = labels == labels[first] if one else labels != labels[first]
        chosen += [first, rng.choice(np.flatnonzero(fits))]
    return images[chosen], same


def encoder(dropout=0.0):
    return step_by_step(
        keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                keras.layers.Flatten(),
                keras.layers.Dropout(dropout, seed=1),
                keras.layers.Dense(8, activation="tanh"),
            ]
        )
    )


def recognizer(rate=0.01, compiled=False, **arguments):
    keras.utils.set_random_seed(1)
    model = Recognizer(encoder(**arguments), kr.heads.ArcFace(CLASSES, margin=0.2, scale=8.0))
    model.compile(keras.optimizers.Adam(rate), **({} if compiled else STEP_BY_STEP))
    model.encoder.run_eagerly = model.run_eagerly
    return model


def fit(model, *callbacks, epochs=1, **arguments):
    images, labels = data()
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0, **arguments}
    return model.fit(images, labels, epochs=epochs, callbacks=list(callbacks), **arguments).history


class Batches(keras.utils.PyDataset):
    """Batches (images, labels) in order."""

    def __init__(self, images, size=7, **arguments):
        super().__init__(**arguments)
        self.images, self.size = images, size

    def __len__(self):
        return -(-len(self.images) // self.size)

    def __getitem__(self, i):
        part = self.images[self.size * i : self.size * (i + 1)]
        return part, np.zeros(len(part), "int32")


class Pairs:
    """What `verification_pairs` gives."""

    def __init__(self):
        images, self.same = pairs()
        self.images = Batches(images)


@pytest.mark.every_backend
@pytest.mark.parametrize("kind", ["array", "object", "PyDataset", "tf.data", "DataLoader"])
def test_numbers_are_those_of_the_protocol(kind):
    images, same = pairs()
    given = {"array": (images, same), "object": Pairs(), "PyDataset": (Batches(images), same)}
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        given[kind] = (tf.data.Dataset.from_tensor_slices(images).batch(9), same)
    elif kind == "DataLoader":
        torch = pytest.importorskip("torch")
        dataset = torch.utils.data.TensorDataset(torch.from_numpy(images))
        given[kind] = (torch.utils.data.DataLoader(dataset, batch_size=9), same)
    model = recognizer()
    history = fit(model, VerificationCallback(given[kind], batch_size=6), epochs=2)
    mean, std = kr.metrics.lfw_accuracy(model.embed(images), same)
    assert set(history) == {"loss", *ACCURACY}
    assert len(history["verification_accuracy"]) == 2
    assert history["verification_accuracy"][-1] == pytest.approx(mean)
    assert history["verification_accuracy_std"][-1] == pytest.approx(std)
    assert 0.5 < mean <= 1


@pytest.mark.every_backend
@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_training_is_the_same_with_and_without(unit):
    weights, losses = [], []
    for with_callback in (False, True):
        model = recognizer(dropout=0.3, compiled=True)
        callback = VerificationCallback(pairs(), unit=unit, flip=True, every=1)
        losses.append(fit(model, *[callback] * with_callback, epochs=2)["loss"])
        weights.append(model.get_weights())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_flip_adds_the_embedding_of_the_mirror_image():
    images, _ = pairs()
    seen = []
    model = recognizer()
    callback = VerificationCallback(images, lambda e: seen.append(e) or 0.0, flip=True)
    fit(model, callback)
    embed = functools.partial(model.encoder.predict, verbose=0)
    assert seen[0].dtype == np.float32
    np.testing.assert_allclose(seen[0], embed(images) + embed(images[:, :, ::-1]), atol=1e-5)


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("of_global", ["channels_first", "channels_last"])
@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 8), (4, 8, 1)])
def test_flip_mirrors_left_to_right_in_the_format_of_the_encoder(data_format, of_global, shape):
    images = np.random.default_rng(0).random((2, *shape), dtype="float32")
    axes = [0, 3, 1, 2] if data_format == "channels_first" else [0, 1, 2, 3]
    given, mirrored = images.transpose(axes), images[:, :, ::-1].transpose(axes)
    keras.config.set_image_data_format(of_global)
    inputs = keras.Input(given.shape[1:])
    # A network of pixels of their own: channels-first convolutions need a GPU on TensorFlow.
    x = keras.layers.Flatten()(kr.layers.UniformDownsample(1.0, data_format=data_format)(inputs))
    network = keras.Model(inputs, keras.layers.Dense(4)(x))
    outer = keras.Sequential([keras.Input(given.shape[1:]), network])
    for model in (network, outer):
        expected = model.predict(given, verbose=0) + model.predict(mirrored, verbose=0)
        found = to_numpy(FlipEmbedder(model)(given))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "protocol",
    [
        kr.metrics.lfw_accuracy,
        functools.partial(kr.metrics.lfw_accuracy, folds=4),
        kr.metrics.eer,
        functools.partial(kr.metrics.tar_at_far, fars=[0.1, 0.5]),
        {"best": kr.metrics.lfw_accuracy, "TAR@0.1": functools.partial(
            kr.metrics.tar_at_far, fars=0.1)},
        kr.metrics.val_at_far,
    ],
    ids=["lfw", "four_folds", "eer", "tar", "several", "val"],
)  # fmt: skip
def test_any_protocol(protocol, request):
    images, same = pairs()
    model = recognizer()
    history = fit(model, VerificationCallback({"set": (images, same)}, protocol))
    embeddings = model.embed(images)
    scores = np.sum(embeddings[0::2] * embeddings[1::2], axis=1)
    tar = kr.metrics.tar_at_far(scores, same, [0.1, 0.5])
    mean, std = kr.metrics.lfw_accuracy(embeddings, same)
    expected = {
        "lfw": lambda: {"accuracy": mean, "accuracy_std": std},
        "four_folds": lambda: dict(
            zip(
                ("accuracy", "accuracy_std"),
                kr.metrics.lfw_accuracy(embeddings, same, folds=4),
                strict=True,
            )
        ),
        "eer": lambda: {"eer": kr.metrics.eer(scores, same)},
        "tar": lambda: {"tar_at_far_0": tar[0], "tar_at_far_1": tar[1]},
        "several": lambda: {"best": mean, "best_std": std, "TAR@0.1": tar[0]},
        "val": lambda: dict(
            zip(("val", "val_std", "val_far"), kr.metrics.val_at_far(embeddings, same), strict=True)
        ),
    }[request.node.callspec.id]()
    del history["loss"]
    assert set(history) == {f"set_{name}" for name in expected}
    for name, value in expected.items():
        assert history[f"set_{name}"][0] == pytest.approx(value, nan_ok=True)


def test_labelled_images_are_compared_in_all_pairs():
    images, labels = data(16, seed=3)
    model = recognizer()
    history = fit(model, VerificationCallback({"all": (images, labels)}, kr.metrics.eer))
    expected = kr.metrics.eer(*kr.metrics.all_pairs(model.embed(images), labels))
    assert history["all_eer"] == [pytest.approx(expected, abs=1e-6)]


@pytest.mark.parametrize("takes_counts", [True, False])
def test_more_pairs_than_are_kept_are_counted(takes_counts, monkeypatch):
    monkeypatch.setattr(
        sys.modules["keras_resample.metrics.verification.all_pairs"], "MOST_PAIRS", 10
    )
    _, labels = data()
    embeddings = np.random.default_rng(0).normal(size=(len(labels), 3))
    given = {}

    def counted(scores, same, counts=None):
        given.update(scores=scores, counts=counts)
        return 0.0

    protocol = counted if takes_counts else (lambda scores, same: counted(scores, same))
    protocol_numbers(protocol, embeddings, labels)
    pairs = len(labels) * (len(labels) - 1) // 2
    if takes_counts:
        assert given["counts"].sum() == pairs
    else:
        assert len(given["scores"]) == pairs


def test_several_sets_and_a_dict_of_numbers():
    (images, same), (others, _) = pairs(), pairs(seed=5)

    def protocol(embeddings, truth):
        return {"n": len(embeddings), "share": np.float32(np.mean(truth))}

    callback = VerificationCallback({"a": (images, same), "b": (others[:30], same[:15])}, protocol)
    history = fit(recognizer(), callback)
    del history["loss"]
    assert history == {
        "a_n": [40],
        "a_share": [0.5],
        "b_n": [30],
        "b_share": [pytest.approx(8 / 15)],
    }
    assert callback.numbers == {name: values[0] for name, values in history.items()}


def test_any_encoder():
    images, labels = data()
    model = encoder()
    model.compile("adam", BatchHardTriplet("soft"), **STEP_BY_STEP)
    history = model.fit(images, labels, verbose=0, callbacks=[VerificationCallback(pairs())])
    assert set(history.history) >= ACCURACY
    network = encoder()
    inputs = keras.Input((6, 6, 1)), keras.Input((), dtype="int32")
    logits = kr.heads.ArcFace(CLASSES)(network(inputs[0]), labels=inputs[1])
    functional = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    functional.compile("adam", loss, **STEP_BY_STEP)
    callback = VerificationCallback(pairs(), encoder=network)
    history = functional.fit((images, labels), labels, verbose=0, callbacks=[callback]).history
    mean, _ = kr.metrics.lfw_accuracy(network.predict(pairs()[0], verbose=0), pairs()[1])
    assert history["verification_accuracy"] == [pytest.approx(mean)]


def test_every_few_epochs():
    history = fit(recognizer(), VerificationCallback(pairs(), every=2), epochs=5)
    assert len(history["loss"]) == 5 and len(history["verification_accuracy"]) == 2


def test_every_few_batches_uses_the_weights_of_that_batch():
    seen, weights = [], []

    class Recorder(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            weights.append(to_numpy(self.model.head.kernel))

    model = recognizer(compiled=True)

    def protocol(embeddings, same):
        seen.append(to_numpy(model.head.kernel))
        return float(len(seen))

    callback = VerificationCallback({"x": pairs()}, protocol, every=2, unit="batch")
    history = fit(model, Recorder(), callback, epochs=3)
    # Nine batches, three an epoch: evaluations after the second of each epoch's 1, 2 and 1.
    assert len(seen) == 4
    for k, kernel in enumerate(seen):
        np.testing.assert_array_equal(kernel, weights[2 * k + 1])
    assert list(history.values())[1] == [1.0, 3.0, 4.0]


def test_later_callbacks_see_the_numbers(tmp_path):
    numbers = iter([0.5, 0.7, 0.6, 0.6, 0.6, 0.6])
    stopping = keras.callbacks.EarlyStopping("v_x", mode="max", patience=2)
    checkpoint = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}-{v_x:.1f}.weights.h5"),
        monitor="v_x",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    verification = VerificationCallback({"v": pairs()}, {"x": lambda e, s: next(numbers)})
    fit(recognizer(), verification, stopping, checkpoint, log, epochs=6)
    assert stopping.stopped_epoch == 3
    assert {p.name for p in tmp_path.glob("*.h5")} == {"1-0.5.weights.h5", "2-0.7.weights.h5"}
    with open(tmp_path / "log.csv", newline="") as file:
        assert [float(row["v_x"]) for row in csv.DictReader(file)] == [0.5, 0.7, 0.6, 0.6]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_best_model_is_kept(mode, tmp_path):
    values = [0.5, float("nan"), 0.7, 0.2, 0.6]
    numbers, kernels = iter(values), []
    model = recognizer(rate=0.05)

    def protocol(embeddings, same):
        kernels.append(to_numpy(model.head.kernel))
        return next(numbers)

    path = tmp_path / "new" / "best.keras"
    callback = VerificationCallback({"v": pairs()}, {"x": protocol}, mode=mode, filepath=path)
    assert callback.best is None
    fit(model, callback, epochs=5)
    best = 2 if mode == "max" else 3
    assert callback.best == values[best]
    copy = keras.saving.load_model(path)
    np.testing.assert_array_equal(to_numpy(copy.head.kernel), kernels[best])
    assert [p.name for p in path.parent.iterdir()] == ["best.keras"]
    # It goes on training.
    fit(copy)


def test_weights_only_fields_and_threshold(tmp_path):
    numbers = iter([0.5, 0.7, 0.8])
    callback = VerificationCallback(
        {"v": pairs()},
        {"x": lambda e, s: next(numbers)},
        filepath=str(tmp_path / "{epoch:02d}-{v_x:.2f}.weights.h5"),
        save_weights_only=True,
        initial_value_threshold=0.6,
    )
    assert callback.best == 0.6
    model = recognizer()
    fit(model, callback, epochs=3)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "02-0.70.weights.h5",
        "03-0.80.weights.h5",
    ]
    fresh = recognizer()
    fresh.build((None, 6, 6, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer has no variables yet
        fresh.load_weights(tmp_path / "03-0.80.weights.h5")
    np.testing.assert_array_equal(to_numpy(fresh.head.kernel), to_numpy(model.head.kernel))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("lfw_accuracy", "max"),
        ("lfw_eer", "min"),
        ("tar_at_far", "max"),
        ("val_loss", "min"),
        ("ijbc_tar@far=1e-05", "max"),
        ("lfw_accuracy_std", "min"),
    ],
)
def test_mode_is_told_by_the_name(name, mode):
    from keras_resample.callbacks.best_model import BestModel

    assert BestModel(name, "auto", None, False, None).mode == mode


def my_rate(scores, same):
    return 0.5


@pytest.mark.parametrize(
    ("set_name", "protocol", "mode"),
    [
        ("long_distance", kr.metrics.lfw_accuracy, "max"),
        ("error", {"x": kr.metrics.auc}, "max"),
        ("far", {"my_loss": functools.partial(kr.metrics.tar_at_far, fars=0.5)}, "max"),
        ("a", {"best": kr.metrics.eer}, "min"),
        ("a", functools.partial(kr.metrics.eer, return_threshold=True), "min"),
        ("a", {"x": kr.metrics.val_at_far}, "max"),
        ("tar", {"fnmr": my_rate}, "min"),
        ("tar", {"FRR@FAR=0.1": my_rate}, "min"),
        ("tar", {"far": my_rate}, "min"),
        ("tar", {"fpir": my_rate}, "min"),
        ("a", {"fnmr_at_fmr": my_rate}, "min"),
        ("long_distance", {"TAR@FAR=0.1": my_rate}, "max"),
        ("long_distance", {"tpr_fpr_1e-3": my_rate}, "max"),
        ("long_distance", my_rate, "max"),
        ("a", {"tar": lambda scores, same: {"error": 0.5}}, "min"),
    ],
)
def test_the_metric_says_which_number_is_the_best(set_name, protocol, mode):
    callback = VerificationCallback({set_name: pairs()}, protocol)
    callback.set_model(recognizer())
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, {})
    assert callback._keeper.mode == mode


def test_the_second_number_and_others_in_the_log():
    for monitor, mode in (
        ("long_distance_accuracy_std", "min"),
        ("long_distance_accuracy", "max"),
        ("val_loss", "min"),
    ):
        callback = VerificationCallback(
            {"long": pairs(), "long_distance": pairs()}, monitor=monitor
        )
        callback.set_model(recognizer())
        callback.on_epoch_begin(0)
        callback.on_epoch_end(0, {"val_loss": 1.0})
        assert callback._keeper.mode == mode


def test_a_full_disk_loses_neither_the_file_nor_the_training(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "best.keras"
    numbers = iter([0.5, 0.6, 0.7])
    limits = iter([None, 3000, None])

    def protocol(embeddings, same):
        # From here on no file may grow beyond so many bytes, as on a full disk.
        limit = next(limits)
        soft = resource.RLIM_INFINITY if limit is None else limit
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
        return next(numbers)

    files = []

    class Files(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            files.append({p.name: p.read_bytes() for p in tmp_path.iterdir()})

    callback = VerificationCallback({"v": pairs()}, {"x": protocol}, filepath=path)
    try:
        with pytest.warns(UserWarning, match="v_x improved to 0.6, but .* could not be saved"):
            history = fit(recognizer(), callback, Files(), epochs=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert history["v_x"] == [0.5, 0.6, 0.7]
    assert len(files[0]["best.keras"]) > 3000
    assert files[1] == files[0]
    assert set(files[2]) == {"best.keras"} and files[2] != files[0]
    assert callback.best == 0.7


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    from keras_resample.callbacks.best_model import BestModel

    class Interrupted:
        def save(self, path):
            path.write_bytes(b"ne")
            raise KeyboardInterrupt

    path = tmp_path / "best.keras"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        BestModel("accuracy", "max", path, False, None).update(Interrupted(), 0.5, {})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_progress(verbose, capsys, tmp_path):
    callback = VerificationCallback({"lfw": pairs()}, filepath=tmp_path / "m.keras", batch_size=10)
    fit(recognizer(), callback, verbose=verbose)
    shown = capsys.readouterr().out
    assert ("Verification of 'lfw'" in shown and "4/4" in shown) == (verbose == 1)
    assert ("saved to" in shown) == (verbose > 0)
    assert ("lfw_accuracy" in shown) == (verbose > 0)
    fit(recognizer(), VerificationCallback(pairs(), verbose=0), verbose=verbose)
    assert "Verification of" not in capsys.readouterr().out


def test_images_are_read_batch_by_batch():
    images, same = pairs()

    class Array:
        shape, dtype, longest = images.shape, images.dtype, 0

        def __len__(self):
            return len(images)

        def __getitem__(self, key):
            part = images[key]
            Array.longest = max(Array.longest, len(part))
            return part

    history = fit(recognizer(), VerificationCallback((Array(), same), batch_size=6))
    assert set(history) >= ACCURACY
    assert Array.longest == 6


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"data": {}}, "data"),
        ({"data": (1, 2, 3)}, "data"),
        ({"data": "lfw.bin"}, "data"),
        ({"data": (None, [True])}, "data"),
        ({"data": (x for x in [])}, "data"),
        ({"protocol": "lfw"}, "protocol"),
        ({"protocol": {"x": 1}}, "protocol"),
        ({"mode": "higher"}, "mode"),
        ({"unit": "step"}, "unit"),
        ({"every": 0}, "every"),
        ({"every": 1.5}, "every"),
        ({"batch_size": 0}, "batch_size"),
        ({"verbose": 3}, "verbose"),
        ({"flip": 1}, "flip"),
        ({"save_weights_only": None}, "save_weights_only"),
        ({"filepath": "best.h5"}, "filepath"),
        ({"filepath": "best.keras", "save_weights_only": True}, "filepath"),
        ({"encoder": keras.layers.Flatten()}, "encoder"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        VerificationCallback(**{"data": pairs(), **arguments})


def test_shuffled_data_are_refused():
    images, same = pairs()
    dataset = kr.datasets.from_arrays(np.clip(images, 0, 1), np.arange(40) % 4)
    with pytest.raises(ValueError, match="`data` must not be shuffled"):
        VerificationCallback((dataset, same))
    dataset.shuffle = False
    VerificationCallback((dataset, same))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"monitor": "lfw"}, "monitor"),
        ({"protocol": lambda e, s: "good"}, "protocol"),
        ({"protocol": lambda e, s: np.zeros(1000)}, "protocol"),
        ({"protocol": kr.metrics.eer, "data": (pairs()[0], [True, False])}, "data"),
    ],
)
def test_mistakes_that_an_evaluation_shows(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        fit(recognizer(), VerificationCallback(**{"data": pairs(), **arguments}))


def identities(**arguments):
    images, labels = data(16, seed=3)
    return kr.datasets.from_arrays(np.clip(images / 2, 0, 1), labels, **arguments)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_dataset_of_identities_is_taken_directly(shuffle):
    dataset = identities(shuffle=shuffle, batch_size=5)
    model = recognizer()
    history = fit(model, VerificationCallback({"pairs": pairs(), "all": dataset}))
    scores, same = kr.metrics.all_pairs(model.embed(dataset.arrays()[0]), dataset.labels)
    assert set(history) == {"loss", "pairs_accuracy", "pairs_accuracy_std", "all_eer"}
    assert history["all_eer"] == [pytest.approx(kr.metrics.eer(scores, same), abs=1e-6)]
    assert dataset.shuffle == shuffle


def test_labels_without_a_protocol_are_compared_by_the_equal_error_rate():
    dataset = identities(shuffle=False)
    for given in ((dataset, dataset.labels), dataset.arrays()):
        assert set(fit(recognizer(), VerificationCallback(given))) == {"loss", "verification_eer"}


def test_same_as_zeros_and_ones_is_of_pairs():
    images, same = pairs()
    history = [
        fit(recognizer(), VerificationCallback((images, truth), protocol))
        for truth in (same, same.astype("int32"))
        for protocol in (None, kr.metrics.eer)
    ]
    assert history[:2] == history[2:]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"data": pairs()[0]}, "data"),
        ({"data": data(16), "protocol": kr.metrics.lfw_accuracy}, "protocol"),
        ({"data": data(16), "protocol": {"a": kr.metrics.val_at_far}}, "protocol"),
        ({"data": (data(16)[0], data(15)[1])}, "data"),
        ({"data": (data(16)[0], np.arange(16))}, "data"),
        ({"data": (data(16)[0], np.zeros(16, int))}, "data"),
        ({"data": (pairs()[0], pairs()[1][1:])}, "data"),
        ({"data": (pairs()[0], np.ones(20, bool))}, "same"),
        ({"protocol": functools.partial(kr.metrics.lfw_accuracy, folds=10.0)}, "folds"),
        ({"protocol": functools.partial(kr.metrics.lfw_accuracy, folds=99)}, "folds"),
        ({"protocol": kr.metrics.tar_at_far}, "protocol"),
        ({"protocol": functools.partial(kr.metrics.tar_at_far, fars=2)}, "fars"),
        ({"protocol": lambda e: 0.0}, "protocol"),
        ({"protocol": {}}, "protocol"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_training(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        VerificationCallback(**{"data": pairs(), **arguments})


@pytest.mark.every_backend
@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_nan_in_training_is_an_orderly_stop(unit, tmp_path):
    model = recognizer()
    images, labels = data()
    images[10] = np.nan  # of the second batch of three
    terminate = keras.callbacks.TerminateOnNaN()
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    verification = VerificationCallback(
        {"lfw": pairs(), "all": data(8)}, filepath=tmp_path / "best.keras", unit=unit, every=1
    )
    with pytest.warns(UserWarning, match="numbers of 'lfw' are NaN: 40 of its 40 embeddings"):
        history = model.fit(
            images, labels, 8, epochs=3, shuffle=False, verbose=0,
            callbacks=[terminate, verification, log],
        ).history  # fmt: skip
    assert model.stop_training
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        ["loss", "lfw_accuracy", "lfw_accuracy_std", "all_eer"], 1
    )
    assert np.isnan(list(history.values())).all()
    with open(tmp_path / "log.csv", newline="") as file:
        assert [row["lfw_accuracy"] for row in csv.DictReader(file)] == ["nan"]
    assert (tmp_path / "best.keras").exists() == (unit == "batch")  # of the first batch


def test_one_bad_image_ends_no_training():
    images, same = pairs()
    images[3] = np.nan
    callback = VerificationCallback((images, same))
    with pytest.warns(UserWarning, match="1 of its 40 embeddings .* the first in row 3"):
        history = fit(recognizer(), callback, epochs=2)
    assert len(history["loss"]) == 2 and np.isnan(history["verification_accuracy"]).all()


def test_a_number_that_cannot_be_measured_keeps_no_model_and_says_so(tmp_path):
    protocol = functools.partial(kr.metrics.tar_at_far, fars=1e-6)
    callback = VerificationCallback(pairs(), protocol, filepath=tmp_path / "best.keras")
    with pytest.warns(UserWarning, match="`monitor` cannot be measured.*verification_tar_at_far"):
        fit(recognizer(), callback)
    assert callback.best is None and not list(tmp_path.iterdir())
