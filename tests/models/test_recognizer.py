"""The Recognizer against the same network as a two-input Functional model, and from any source."""

import functools
import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_resample.datasets import from_arrays, half_identities, image_folder
from keras_resample.heads import ArcFace, CosFace, CurricularFace
from keras_resample.models import Recognizer
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP, step_by_step

CLASSES = 4


def data(n=24, seed=0):
    """Images of four easy classes."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % CLASSES).astype("int32")
    images = rng.uniform(0, 0.3, (n, 6, 6, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[label : label + 2] += 1
    return images, labels


def encoder(extra=()):
    return step_by_step(
        keras.Sequential(
            [keras.Input((6, 6, 1)), *extra, layers.Flatten(), layers.Dense(8, activation="tanh")]
        )
    )


def recognizer(**compile_arguments):
    model = Recognizer(encoder(), ArcFace(CLASSES, margin=0.2, scale=8.0))
    model.compile(**{"optimizer": keras.optimizers.Adam(0.01), **STEP_BY_STEP, **compile_arguments})
    return model


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0]) // 8

    def __getitem__(self, i):
        return tuple(a[8 * i : 8 * i + 8] for a in self.arrays)


def source(kind, *arrays):
    if kind == "arrays":
        return {"x": arrays[0], "y": arrays[1], "batch_size": 8, "shuffle": False}
    if kind == "column":
        return {"x": arrays[0], "y": arrays[1][:, None], "batch_size": 8, "shuffle": False}
    if kind == "PyDataset":
        return {"x": Batches(*arrays), "shuffle": False}
    if kind == "generator":
        return {
            "x": (Batches(*arrays)[i] for i in range(99)),
            "steps_per_epoch": 3,
            "shuffle": False,
        }
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        return {"x": tf.data.Dataset.from_tensor_slices(arrays).batch(8), "shuffle": False}
    torch = pytest.importorskip("torch")
    dataset = torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays))
    return {"x": torch.utils.data.DataLoader(dataset, batch_size=8), "shuffle": False}


@pytest.mark.every_backend
@pytest.mark.parametrize("jit_compile", [True, False])
def test_equals_the_functional_form(jit_compile, backend):
    if jit_compile and backend == "torch":
        pytest.skip("torch compiles with a C++ compiler, which takes minutes")
    images, labels = data()
    network = encoder()
    model = Recognizer(network, ArcFace(CLASSES, margin=0.2, scale=8.0))
    model.build((None, 6, 6, 1))
    twin = keras.models.clone_model(network)
    inputs = keras.Input((6, 6, 1)), keras.Input((), dtype="int32")
    functional = keras.Model(
        inputs, ArcFace(CLASSES, margin=0.2, scale=8.0)(twin(inputs[0]), labels=inputs[1])
    )
    functional.set_weights(model.get_weights())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", jit_compile=jit_compile, metrics=["accuracy"])
    functional.compile("sgd", loss, metrics=["accuracy"], **STEP_BY_STEP)
    arguments = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    found = model.fit(images, labels, **arguments).history
    expected = functional.fit((images, labels), labels, **arguments).history
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    for a, b in zip(model.get_weights(), functional.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(
        model.evaluate(images, labels, verbose=0),
        functional.evaluate((images, labels), labels, verbose=0),
        rtol=1e-5,
    )


@pytest.mark.every_backend
@pytest.mark.parametrize("kind", ["column", "PyDataset", "tf.data", "DataLoader", "generator"])
def test_any_data_source_gives_the_same_training(kind):
    images, labels = data()
    results = []
    for one in ("arrays", kind):
        keras.utils.set_random_seed(1)
        model = recognizer(metrics=["accuracy"])
        history = model.fit(**source(one, images, labels), verbose=0).history
        results.append((history["loss"], model.get_weights()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.every_backend
def test_training_lowers_the_loss_and_finds_the_classes():
    images, labels = data(40)
    model = recognizer(metrics=["accuracy"])
    history = model.fit(images, labels, epochs=15, batch_size=8, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert model.evaluate(images, labels, verbose=0, return_dict=True)["accuracy"] == 1.0
    np.testing.assert_array_equal(model.predict(images, verbose=0).argmax(1), labels)


def test_margin_only_in_training():
    images, labels = data()
    model = recognizer(optimizer=keras.optimizers.SGD(0.0))
    training = model.train_on_batch(images, labels)
    assert training > 1.05 * model.test_on_batch(images, labels)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(
        model.evaluate(images, labels, verbose=0),
        to_numpy(loss(labels, model.predict(images, verbose=0))),
        rtol=1e-5,
    )


def test_sample_and_class_weights():
    images, labels = data()
    weights = np.where(labels == 1, 2.0, 0.0)
    losses = []
    for arguments in ({"sample_weight": weights}, {"class_weight": {0: 0, 1: 2, 2: 0, 3: 0}}):
        keras.utils.set_random_seed(1)
        model = recognizer(optimizer=keras.optimizers.SGD(0.0))
        losses += model.fit(images, labels, verbose=0, **arguments).history["loss"]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    only = model.train_on_batch(images[labels == 1], labels[labels == 1])
    np.testing.assert_allclose(losses[0], 2 * only * np.mean(labels == 1), rtol=1e-5)


@pytest.mark.parametrize("keys", [("left", "right"), None])
def test_encoders_with_several_inputs(keys, tmp_path):
    images, labels = data()
    inputs = [keras.Input((6, 6, 1), name=name) for name in ("left", "right")]
    x = layers.Dense(8)(layers.Flatten()(layers.Subtract()(inputs)))
    arrays = [images, images[:, ::-1]]
    if keys:
        inputs, arrays = dict(zip(keys, inputs, strict=True)), dict(zip(keys, arrays, strict=True))
    model = Recognizer(keras.Model(inputs, x), CosFace(CLASSES, scale=8.0))
    model.compile("adam", **STEP_BY_STEP)
    history = model.fit(arrays, labels, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert model.embed(arrays).shape == (24, 8)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        copy.predict(arrays, verbose=0), model.predict(arrays, verbose=0), atol=1e-5
    )


def test_losses_of_the_encoder_are_trained():
    images, labels = data()

    def loss(extra):
        keras.utils.set_random_seed(1)
        model = Recognizer(encoder(extra), ArcFace(CLASSES))
        model.compile(keras.optimizers.SGD(0.0), **STEP_BY_STEP)
        return model.fit(images, labels, batch_size=24, verbose=0).history["loss"][0]

    found = loss([layers.ActivityRegularization(l2=0.5)]) - loss([])
    np.testing.assert_allclose(found, 0.5 * np.sum(images**2) / len(images), rtol=1e-3)


def test_embeddings_have_length_one():
    images, _ = data()
    model = recognizer()
    found = model.embed(images, batch_size=7)
    raw = model.encoder.predict(images, verbose=0)
    assert found.dtype == np.float32 and isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, raw / np.linalg.norm(raw, axis=1)[:, None], atol=1e-6)
    model(images)
    unit = to_numpy(model.head.kernel)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    np.testing.assert_allclose(8 * found @ unit.T, model.predict(images, verbose=0), atol=1e-5)
    dark = Recognizer(
        keras.Sequential([keras.Input((3,)), layers.Activation("linear")]), ArcFace(CLASSES)
    )
    assert not dark.embed(np.zeros((2, 3), "float32")).any()


def test_embeddings_of_any_length_have_length_one():
    images, _ = data(4)
    unit = recognizer().encoder.predict(images, verbose=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    model = Recognizer(
        step_by_step(keras.Sequential([keras.Input((8,)), layers.Activation("linear")])),
        ArcFace(CLASSES),
    )
    lengths = np.float32([[1e20], [1e-25], [0], [np.nan]])
    found = model.embed(unit * lengths)
    np.testing.assert_allclose(found[:2], unit[:2], atol=1e-6)
    assert not found[2].any() and np.isnan(found[3]).all()


def test_rows_are_in_the_order_of_the_data():
    images, labels = data()
    dataset = from_arrays(images / 2, labels, batch_size=5)
    assert dataset.shuffle
    model = recognizer()
    expected = model.embed(images / 2)
    np.testing.assert_allclose(model.embed(dataset), expected, atol=1e-6)
    balanced = dataset.balanced_batches(2, 2)
    np.testing.assert_allclose(model.embed(balanced), expected, atol=1e-6)
    logits = model.predict(images / 2, verbose=0)
    np.testing.assert_allclose(model.predict(dataset, verbose=0), logits, atol=1e-5)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_embeddings_with_the_mirror_image(data_format):
    images, _ = data(5)
    flipped = images[:, :, ::-1]
    if data_format == "channels_first":  # which is not the global setting
        images, flipped = (np.moveaxis(x, -1, 1) for x in (images, flipped))
    network = keras.Sequential([keras.Input(images.shape[1:]), layers.Flatten(), layers.Dense(8)])
    model = Recognizer(step_by_step(network), ArcFace(CLASSES))
    both = [model.encoder.predict(x, verbose=0) for x in (images, flipped)]
    expected = sum(both) / np.linalg.norm(sum(both), axis=1, keepdims=True)
    np.testing.assert_allclose(model.embed(images, flip=True), expected, atol=1e-6)
    with pytest.raises(ValueError, match="`flip`.*Received"):
        model.embed(images, flip="yes")


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_mirror_images_are_embedded_as_eagerly_as_images():
    images, _ = data(2)
    model = recognizer()
    for eagerly in (False, True):
        model.encoder.run_eagerly = eagerly
        model.embed(images, flip=True)
        assert model._flip_embedder().run_eagerly == eagerly


@pytest.mark.every_backend
def test_embeddings_of_files(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 6), dtype="uint8")
    paths = [tmp_path / f"{name}.png" for name in "cab"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    model = recognizer()
    expected = model.embed(pixels[..., None].astype("float32") / 255)
    np.testing.assert_allclose(model.embed(paths, batch_size=2), expected, atol=1e-6)
    for array in (np.array([str(path) for path in paths]), np.array(paths, object)):
        np.testing.assert_allclose(model.embed(array), expected, atol=1e-6)
    np.testing.assert_allclose(model.embed(str(paths[1])), expected[1:2], atol=1e-6)
    with pytest.raises(ValueError, match="`paths` must hold"):
        model.embed([])
    scaling = Recognizer(encoder([layers.Rescaling(1 / 255)]), ArcFace(CLASSES))
    with pytest.raises(ValueError, match="read in .0, 1.*image_files.*Received.*rescaling"):
        scaling.embed(paths)
    unknown = Recognizer(keras.Sequential([layers.Flatten(), layers.Dense(8)]), ArcFace(CLASSES))
    with pytest.raises(ValueError, match="image_files.*Received: an encoder"):
        unknown.embed(paths)


def test_files_are_embedded_in_the_range_of_training(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    for name in "abcd":
        (tmp_path / name).mkdir()
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (6, 6), dtype="uint8")
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    dataset = image_folder(tmp_path, value_range=(-1, 1))
    model = recognizer()
    model.fit(dataset, verbose=0)
    for value_range in ((0, 1), (0, 255)):
        with pytest.raises(
            ValueError, match=r"`value_range`.*\(-1.0, 1.0\).*Received: value_range="
        ):
            model.embed(dataset.paths, value_range=value_range)
    found = model.embed(dataset.paths, value_range=(-1, 1))
    np.testing.assert_allclose(found, model.embed(dataset), atol=1e-6)
    with pytest.raises(ValueError, match="`value_range` is for paths.*Received"):
        model.embed(dataset, value_range=(-1, 1))
    scaling = Recognizer(encoder([layers.Rescaling(1 / 255)]), ArcFace(CLASSES))
    assert scaling.embed(dataset.paths, value_range=(0, 255)).shape == (4, 8)


def test_a_source_that_says_it_shuffles_is_refused():
    images, labels = data()
    source = Batches(images, labels)
    source.shuffle = True
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader([(images[0], 1)], shuffle=True)
    model = recognizer()
    for one in (source, loader):
        for rows in (model.embed, model.predict):
            with pytest.raises(ValueError, match="`images`.*shuffle=False.*Received"):
                rows(one)


@pytest.mark.every_backend
def test_saved_model_resumes_training(tmp_path):
    images, labels = data()
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model = recognizer(metrics=["accuracy"])
    model.fit(images, labels, **arguments)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(copy.head, ArcFace) and copy.head.get_config() == model.head.get_config()
    np.testing.assert_allclose(
        copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )
    expected = model.fit(images, labels, epochs=2, **arguments).history
    found = copy.fit(images, labels, epochs=2, **arguments).history
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = recognizer()
    fresh.build((None, 6, 6, 1))
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(
        fresh.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.every_backend
def test_mixed_precision_trains():
    keras.config.set_dtype_policy("mixed_bfloat16")
    images, labels = data()
    model = recognizer()
    history = model.fit(images, labels, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert model.predict(images, verbose=0).dtype == np.float32


@pytest.mark.parametrize("wrong", [-1, CLASSES])
def test_label_arrays_out_of_range_raise_before_training(wrong):
    images, labels = data()
    model = recognizer()
    before = [to_numpy(v) for v in model.encoder.variables]
    bad = labels.copy()
    bad[-1] = wrong
    message = rf"`labels` must be in \[0, num_classes\).*{wrong}"
    for attempt in (
        lambda: model.fit(images, bad, batch_size=4, verbose=0),
        lambda: model.fit(images, labels, validation_data=(images, bad), verbose=0),
        lambda: model.evaluate(images, bad, verbose=0),
        lambda: model.train_on_batch(images, bad),
        lambda: model.test_on_batch(images, bad),
    ):
        with pytest.raises(ValueError, match=message):
            attempt()
    for a, b in zip(model.encoder.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(a), b)


@pytest.mark.every_backend
def test_labels_out_of_range_in_batches_are_never_silent():
    images, labels = data()
    labels[3] = CLASSES
    model = recognizer()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            loss = model.fit(Batches(images, labels), verbose=0).history["loss"][0]
        except Exception as error:  # each framework has its own
            assert "abel" in str(error)
            return
    assert np.isnan(loss)
    assert any("The loss is NaN" in str(one.message) for one in said)


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "sparse_categorical_crossentropy"},
        {"loss": keras.losses.sparse_categorical_crossentropy},
        {"loss": [keras.losses.SparseCategoricalCrossentropy()]},
        {"metrics": [keras.metrics.SparseCategoricalCrossentropy()]},
        {"weighted_metrics": ["accuracy", "crossentropy"]},
    ],
)
@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_loss_or_metric_of_probabilities_is_refused(arguments):
    name = "loss" if "loss" in arguments else "metric"
    with pytest.raises(ValueError, match=f"`{name}.*from_logits=True.*Received: {name}"):
        recognizer(**arguments)
    of_logits = functools.partial(keras.losses.sparse_categorical_crossentropy, from_logits=True)
    for loss in (of_logits, keras.losses.SparseCategoricalCrossentropy(from_logits=True)):
        recognizer(loss=loss, metrics=["accuracy", keras.metrics.SparseCategoricalAccuracy()])


@pytest.mark.parametrize(
    "weights", [{"1": 10.0}, {7: 2.0}, {-1: 1.0}, {1: -1.0}, {1: np.nan}, {True: 2.0}, [1, 2]]
)
def test_class_weights_of_no_class_are_refused(weights):
    images, labels = data()
    model = recognizer()
    for fit in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="`class_weight` must.*Received: class_weight="):
            fit(images, labels, class_weight=weights)


def test_a_dataset_of_more_classes_than_the_head_is_refused():
    images, labels = data()
    dataset = from_arrays(images / 2, labels)
    model = Recognizer(encoder(), ArcFace(CLASSES - 1))
    model.compile("sgd")
    for attempt in (
        lambda: model.fit(dataset, verbose=0),
        lambda: model.fit(images, labels % 2, validation_data=dataset, verbose=0),
        lambda: model.evaluate(dataset, verbose=0),
    ):
        with pytest.raises(ValueError, match="num_classes=4.*Received: num_classes=3"):
            attempt()


def test_labels_of_other_people_are_not_evaluated_without_a_word():
    images, labels = data()
    train, test = half_identities(from_arrays(images / 2, labels, batch_size=12))
    assert train.num_classes == test.num_classes and train.identities != test.identities
    model = Recognizer(encoder(), ArcFace(2))
    model.compile("sgd", **STEP_BY_STEP)
    model.fit(train, verbose=0)
    with pytest.warns(
        UserWarning, match=r"other identities.*Received: .*\['2', '3'\].*\['0', '1'\]"
    ):
        model.evaluate(test, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.evaluate(train, verbose=0)


@pytest.mark.backends("tensorflow", reason="strategies are TensorFlow's")
def test_arrays_train_under_a_strategy():
    import tensorflow as tf

    images, labels = data()
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = Recognizer(encoder(), CurricularFace(CLASSES, scale=8.0))
        model.compile("sgd", metrics=["accuracy"])
    loss = model.fit(images, labels, batch_size=8, verbose=0).history["loss"][0]
    assert np.isfinite(loss) and np.isfinite(model.evaluate(images, labels, verbose=0)[0])


def summary_of(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_summary_before_fit_has_all_parameters():
    model = Recognizer(encoder(), ArcFace(CLASSES))
    text = summary_of(model)
    assert "unbuilt" not in text and "32" in text  # the kernel of the head
    assert model.count_params() == 6 * 6 * 8 + 8 + 4 * 8
    unknown = Recognizer(keras.Sequential([layers.Dense(8)]), ArcFace(CLASSES))
    with pytest.warns(UserWarning, match="unbuilt model.*build.*Received"):
        summary_of(unknown)


def test_a_head_for_other_embeddings_is_named():
    images, labels = data()
    head = Recognizer(encoder(), ArcFace(CLASSES)).head
    head.build((None, 7))
    model = Recognizer(encoder(), head)
    model.compile("sgd")
    for attempt in (
        lambda: model.fit(images, labels, verbose=0),
        lambda: model(images),
        lambda: head(np.ones((2, 8), "float32")),
        lambda: head(keras.Input((8,))),
    ):
        with pytest.raises(ValueError, match="`embeddings` must have 7 components.*Received.* 8"):
            attempt()


def test_weights_of_another_number_of_classes(tmp_path):
    images, _ = data()
    model, other = Recognizer(encoder(), ArcFace(CLASSES)), Recognizer(encoder(), ArcFace(7))
    model(images)
    other(images)
    model.save_weights(tmp_path / "of4.weights.h5")
    message = r"`num_classes` must be that of the file.*\(4, 8\).*4 classes.*num_classes=7"
    with pytest.raises(ValueError, match=f"(?s){message}"):
        other.load_weights(tmp_path / "of4.weights.h5")
    with pytest.warns(UserWarning, match=f"(?s){message}"):
        other.load_weights(tmp_path / "of4.weights.h5", skip_mismatch=True)
    np.testing.assert_allclose(other.embed(images), model.embed(images), atol=1e-6)


def test_a_dataset_of_ones_own_may_count_other_classes():
    batches = Batches(*data())
    batches.num_classes = CLASSES + 1  # such as that of ignored pixels
    assert np.isfinite(recognizer().fit(batches, verbose=0).history["loss"][0])


def test_metrics_are_checked_by_position_too():
    metric = keras.metrics.SparseCategoricalCrossentropy()
    for place in ((None, [metric]), (None, None, [metric])):
        with pytest.raises(ValueError, match="`metrics` must have from_logits=True"):
            Recognizer(encoder(), ArcFace(CLASSES)).compile("sgd", None, *place)


def test_a_metric_that_cannot_be_saved_compiles():
    function = functools.partial(keras.metrics.sparse_categorical_accuracy)
    metric = keras.metrics.MeanMetricWrapper(function, name="partial")
    model = Recognizer(encoder(), ArcFace(CLASSES))
    model.compile("sgd", metrics=[metric])
    assert "partial" in model.fit(*data(), verbose=0).history


def test_labels_in_a_list_of_numpy_numbers_are_named():
    images, labels = data()
    with pytest.raises(ValueError, match="`labels` must be an array"):
        recognizer().fit(images, list(labels), verbose=0)


def test_mistakes_are_named():
    images, labels = data()
    with pytest.raises(ValueError, match="`encoder`.*Received"):
        Recognizer(layers.Dense(3), ArcFace(CLASSES))
    with pytest.raises(ValueError, match="`head`.*Received"):
        Recognizer(encoder(), layers.Dense(3))
    with pytest.raises(ValueError, match="`labels` must be integers.*Received"):
        recognizer().fit(images, labels.astype("float32"), verbose=0)
    with pytest.raises(
        ValueError, match=r"batch of one, image\[None\]. Received: .*shape \(6, 6, 1"
    ):
        recognizer().embed(images[0])
    with pytest.raises(ValueError, match="`labels` must be integers, not names: .*dtype=<U"):
        recognizer().fit(images, labels.astype(str), verbose=0)
    with pytest.raises(ValueError, match="`labels` must be an array.*Received: a list"):
        recognizer().fit(images, labels.tolist(), verbose=0)
    with pytest.raises(ValueError, match="`labels`.*Received"):
        recognizer().fit(images, verbose=0)


def test_data_without_labels_say_what_batches_hold():
    images, _ = data()
    models = recognizer(), recognizer(metrics=["accuracy"])
    for method in [method for model in models for method in (model.fit, model.evaluate)]:
        with pytest.raises(ValueError, match=r"whose batches are \(images, labels\).*Received"):
            method(Batches(images), verbose=0)
