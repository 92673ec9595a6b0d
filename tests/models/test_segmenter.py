"""The Segmenter against plain training, by what must not change it, and from any source."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_resample.datasets import SegmentationDataset
from keras_resample.layers import (
    FlowWarpDownsample,
    LearnedResizer,
    SaliencySampler,
    UniformDownsample,
)
from keras_resample.losses import EdgeLoss
from keras_resample.metrics import confusion_matrix, mean_iou
from keras_resample.models import Segmenter
from keras_resample.models.steps.labelled_model import IMAGES, LABELS
from keras_resample.models.steps.sampled_segmentation import TARGETS, segment_samples
from keras_resample.ops import edge_map, sample, uniform_grid
from tests.models.test_recognizer import Batches
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP, step_by_step

CLASSES, VOID = 3, 255
COLORS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200]], "uint8")


def scenes(n=8, size=(16, 16), seed=0, void=False):
    """Bytes of images whose colour tells the class, of large patches and single pixels."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, CLASSES, (n, size[0] // 4, size[1] // 4))
    labels = patches.repeat(4, 1).repeat(4, 2).astype("uint8")
    dots = rng.random(labels.shape) < 0.1
    labels[dots] = rng.integers(0, CLASSES, dots.sum())
    images = COLORS[labels] + rng.integers(0, 40, (*labels.shape, 3)).astype("uint8")
    if void:
        labels[rng.random(labels.shape) < 0.3] = VOID
    return images, labels


def network(strides=1, classes=CLASSES, kernel=1, activation=None, seed=1):
    """Scores of each pixel from its colour; with a kernel of 1 it commutes with flips."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(8, kernel, padding="same", activation="relu")(x)
    x = layers.Conv2D(classes, kernel, strides=strides, padding="same", activation=activation)(x)
    return keras.Model(inputs, x)


def saliency_net(seed=2):
    """Steep enough for samples that are far from uniform."""
    keras.utils.set_random_seed(seed)
    steep = keras.initializers.RandomNormal(stddev=3.0)
    return keras.Sequential(
        [layers.Rescaling(1 / 255), layers.Conv2D(1, 1, kernel_initializer=steep)]
    )


def sampler(kind="saliency", size=(8, 8)):
    if kind == "uniform":
        return UniformDownsample(size=size)
    if kind == "flow":
        return FlowWarpDownsample(size=size)
    if kind == "resizer":
        return LearnedResizer(size, filters=4)
    if kind == "learned map":
        return SaliencySampler(size=size, saliency="learned", grid_size=(6, 6))
    options = {"grid_size": (6, 6), "saliency_input_size": (6, 6), "sigma": 1.0}
    return SaliencySampler(size=size, saliency=saliency_net(), **options)


def segmenter(kind="saliency", rate=0.0, compile_arguments=None, net=None, **arguments):
    model = Segmenter(sampler(kind), net or network(), **arguments)
    own = {"optimizer": keras.optimizers.SGD(rate), **STEP_BY_STEP}
    model.compile(**{**own, **(compile_arguments or {})})
    return model


def logs_of(model, *data, **arguments):
    """The log of a step of training at rate 0, which restores nothing."""
    return model.train_on_batch(*data, return_dict=True, **arguments)


def pieces(model, images):
    """What is computed of a batch, without restoring it."""
    model.build_for(images)
    found = segment_samples(model.sampler, model.network, images, model.from_logits)
    return {key: to_numpy(value) for key, value in found.items()}


def cross_entropy(probabilities, labels, weights):
    """Mean over the pixels that are not void of weight * -log p, in loops."""
    terms, count = [], 0
    for p, label, weight in zip(
        probabilities.reshape(-1, CLASSES), labels.ravel(), weights.ravel(), strict=True
    ):
        if label != VOID:
            terms.append(-np.log(p[label]) * weight)
            count += 1
    return sum(terms) / count


@pytest.mark.every_backend
def test_at_the_full_size_it_is_plain_training():
    images, labels = scenes()
    images = images.astype("float32")
    net = network(kernel=3)
    plain = keras.Sequential([keras.models.clone_model(net), layers.Reshape((-1, CLASSES))])
    plain.set_weights(net.get_weights())
    plain.compile(keras.optimizers.SGD(0.1), keras.losses.CategoricalCrossentropy(from_logits=True))
    one_hot = np.eye(CLASSES, dtype="float32")[labels].reshape(len(labels), -1, CLASSES)
    model = Segmenter(UniformDownsample(1.0), net)
    model.compile(keras.optimizers.SGD(0.1))
    arguments = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}
    found = model.fit(images, labels, **arguments).history["loss"]
    expected = plain.fit(images, one_hot, **arguments).history["loss"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=False):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(
        model.predict(images, verbose=0).reshape(len(images), -1, CLASSES),
        to_numpy(ops.softmax(plain.predict(images, verbose=0))),
        atol=1e-5,
    )


@pytest.mark.every_backend
@pytest.mark.parametrize("kind", ["flow", "saliency", "resizer"])
def test_training_lowers_the_loss_with_every_sampler(kind):
    images, labels = scenes(16, void=True)
    compiled = {"optimizer": keras.optimizers.Adam(0.02), "run_eagerly": False}
    arguments = {"ignore_class": VOID, "edge_weight": 1.0 if kind == "saliency" else None}
    model = segmenter(kind, compile_arguments=compiled, **arguments)
    history = model.fit(images, labels, batch_size=4, epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert all(np.isfinite(values).all() for values in history.values())
    extra = {"edge_loss"} if kind == "saliency" else set()
    assert set(history) == {"loss", "sampled_mean_iou"} | extra


@pytest.mark.parametrize("per", ["image", "pixel", "class"])
def test_loss_is_the_weighted_mean_of_the_pixels_that_count(per):
    images, labels = scenes(void=True)
    model = segmenter(ignore_class=VOID, edge_weight=0)
    found = pieces(model, images)
    rng = np.random.default_rng(1)
    of_images = rng.uniform(0, 2, len(images)).astype("float32")
    of_pixels = rng.uniform(0, 2, labels.shape).astype("float32")
    of_classes = {0: 0.5, 2: 3.0}

    def sampled(maps):
        maps = sample(maps[..., None], found["grid"], "nearest", data_format="channels_last")
        return to_numpy(maps)[..., 0]

    weights = {
        "image": np.broadcast_to(of_images[:, None, None], (8, 8, 8)),
        "pixel": sampled(of_pixels),
        "class": np.vectorize(lambda k: of_classes.get(k, 1.0))(sampled(labels)),
    }[per]
    expected = cross_entropy(found["sampled_probabilities"], sampled(labels), weights)
    if per == "class":
        history = model.fit(images, labels, verbose=0, class_weight=of_classes).history
        np.testing.assert_allclose(history["loss"], [expected], rtol=1e-5)
        ones = np.ones((8, 8, 8))
        expected = cross_entropy(found["sampled_probabilities"], sampled(labels), ones)
        history = model.fit(images, labels, verbose=0).history  # they are those of one fit alone
        np.testing.assert_allclose(history["loss"], [expected], rtol=1e-5)
        return
    given = of_images if per == "image" else of_pixels
    logs = logs_of(model, images, labels, sample_weight=given)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


def test_ignored_pixels_change_neither_loss_nor_gradient_nor_metrics():
    images, labels = scenes(void=True)
    changed = images.copy()
    changed[labels == VOID] = np.random.default_rng(3).integers(0, 256, 3)
    results = []
    for x in (images, changed):  # at the full size an ignored pixel is in its own sample only
        model = Segmenter(UniformDownsample(1.0), network(), ignore_class=VOID)
        metrics = ["accuracy", keras.metrics.MeanIoU(CLASSES, name="own", sparse_y_pred=False)]
        model.compile(keras.optimizers.SGD(0.1), metrics=metrics, **STEP_BY_STEP)
        logs = model.fit(x, labels, verbose=0, epochs=2).history
        results.append((logs, model.get_weights()))
    (logs, weights), (others, other_weights) = results
    assert set(logs) == {"loss", "accuracy", "own", "sampled_mean_iou"}
    for key in logs:
        np.testing.assert_allclose(logs[key], others[key], rtol=1e-6)
    for a, b in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(logs["own"], logs["sampled_mean_iou"], rtol=1e-5)
    nothing = np.full_like(labels, VOID)
    assert logs_of(model, images, nothing)["loss"] == 0


def test_flip_of_images_and_labels_flips_predictions_and_keeps_the_loss():
    # At 15 pixels no label lies between two cells of the saliency map.
    images, labels = (maps[:, :15, :15] for maps in scenes(void=True))
    model = segmenter(ignore_class=VOID)
    for axis in (1, 2):
        flipped = np.flip(images, axis).copy()
        np.testing.assert_allclose(
            np.flip(model.predict(flipped, verbose=0), axis),
            model.predict(images, verbose=0),
            atol=1e-4,
        )
        logs = logs_of(model, flipped, np.flip(labels, axis).copy())
        for key, value in logs_of(model, images, labels).items():
            np.testing.assert_allclose(logs[key], value, rtol=1e-3, err_msg=key)


def test_sampled_labels_are_labels_of_the_image_at_the_places_of_the_samples():
    images, labels = scenes(void=True)
    model = segmenter(ignore_class=VOID)
    model.build_for(images)
    found = model.predict_on_batch({IMAGES: images, LABELS: labels})
    assert set(np.unique(found[TARGETS])) <= set(np.unique(labels))
    x, y = np.moveaxis(found["grid"], -1, 0)
    for b, i, j in ((0, 0, 0), (3, 4, 6), (7, 7, 2)):
        row = np.clip(int(y[b, i, j] * 16), 0, 15)
        column = np.clip(int(x[b, i, j] * 16), 0, 15)
        assert found[TARGETS][b, i, j] == labels[b, row, column]
    assert np.std(np.diff(x, axis=2)) > 0.01  # the samples are not uniform


def test_edge_loss_is_added_with_its_weight():
    images, labels = scenes(void=True)
    without = logs_of(segmenter(ignore_class=VOID, edge_weight=0), images, labels)
    assert "edge_loss" not in without
    model = segmenter(ignore_class=VOID, edge_weight=7.0, binary_edges=True, edge_sigma=0.5)
    logs = logs_of(model, images, labels)
    small = sample(labels[..., None], uniform_grid((6, 6)), "nearest", data_format="channels_last")
    edges = edge_map(small[..., 0], sigma=0.5, binary=True, ignore_class=VOID)
    expected = to_numpy(EdgeLoss()(edges, pieces(model, images)["saliency"]))
    np.testing.assert_allclose(logs["edge_loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], without["loss"] + 7 * expected, rtol=1e-5)
    default = logs_of(segmenter(ignore_class=VOID), images, labels)
    np.testing.assert_allclose(
        default["loss"], without["loss"] + 100 * default["edge_loss"], rtol=1e-5
    )
    assert Segmenter(sampler("uniform"), network()).edge_tracker is None


def test_edge_loss_trains_the_sampler():
    images, labels = scenes()
    for weight, moves in ((0.0, False), (100.0, True)):
        keras.utils.set_random_seed(0)
        net = network()
        net.trainable = False
        model = segmenter("learned map", rate=0.1, net=net, edge_weight=weight)
        model.fit(images, labels, verbose=0)
        flat = np.ptp(to_numpy(model.sampler.saliency_map())) < 1e-7
        assert flat != moves or not moves


def test_losses_that_layers_add_are_trained():
    images, labels = scenes()
    inputs = keras.Input((None, None, 3))
    x = layers.ActivityRegularization(l2=1e-5)(layers.Rescaling(1 / 255)(inputs))
    net = keras.Model(inputs, network()(x))
    found = logs_of(segmenter("uniform", net=net), images, labels)["loss"]
    plain = keras.Model(inputs, network()(layers.Rescaling(1 / 255)(inputs)))
    expected = logs_of(segmenter("uniform", net=plain), images, labels)["loss"]
    sampled = pieces(segmenter("uniform"), images)["sampled_images"] / 255
    np.testing.assert_allclose(found - expected, 1e-5 * np.sum(sampled**2) / len(images), rtol=1e-2)


def test_mean_iou_is_that_of_the_predictions():
    images, labels = scenes(void=True)
    model = segmenter(ignore_class=VOID, compile_arguments={"run_eagerly": False})
    logs = model.evaluate(images, labels, batch_size=4, verbose=0, return_dict=True)
    predicted = model.predict(images, verbose=0).argmax(-1)
    matrix = confusion_matrix(labels, predicted, CLASSES, VOID)
    np.testing.assert_allclose(logs["mean_iou"], mean_iou(matrix), rtol=1e-5)
    np.testing.assert_allclose(np.nanmean(model.class_ious()), logs["mean_iou"], rtol=1e-5)
    found = model.inspect(images)
    targets = sample(labels[..., None], found["grid"], "nearest", data_format="channels_last")
    sampled = found["sampled_probabilities"].argmax(-1)
    matrix = confusion_matrix(to_numpy(targets)[..., 0], sampled, CLASSES, VOID)
    np.testing.assert_allclose(logs["sampled_mean_iou"], mean_iou(matrix), rtol=1e-5)
    np.testing.assert_allclose(
        np.nanmean(model.class_ious(sampled=True)), logs["sampled_mean_iou"], rtol=1e-5
    )


@pytest.mark.every_backend
def test_restoring_by_the_two_interpolations():
    images, labels = scenes()
    for interpolation in ("nearest", "bilinear"):
        model = segmenter(restore_interpolation=interpolation)
        found = model.inspect(images)
        expected = model.sampler.restore(
            found["sampled_probabilities"], found["grid"], (16, 16), interpolation
        )
        predicted = model.predict(images, verbose=0)
        np.testing.assert_allclose(predicted, to_numpy(expected), atol=1e-5)
        np.testing.assert_allclose(predicted, found["probabilities"], atol=1e-6)
        np.testing.assert_allclose(predicted.sum(-1), 1, atol=1e-5)
        matrix = confusion_matrix(labels, predicted.argmax(-1), CLASSES)
        logs = model.test_on_batch(images, labels, return_dict=True)
        np.testing.assert_allclose(logs["mean_iou"], mean_iou(matrix), rtol=1e-5)


def test_scores_of_another_size_are_resized_to_the_samples():
    images, labels = scenes()
    model = segmenter("uniform", net=network(strides=2))
    found = pieces(model, images)
    scores = model.network(found["sampled_images"])
    assert tuple(scores.shape) == (8, 4, 4, CLASSES)
    expected = ops.image.resize(scores, (8, 8), data_format="channels_last")
    np.testing.assert_allclose(found["logits"], to_numpy(expected), atol=1e-5)
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"][0])


def test_bytes_are_sampled_as_bytes():
    images, labels = scenes()
    seen = []

    class Watched(SaliencySampler):
        def sample(self, x, grid, interpolation=None):
            seen.append(keras.backend.standardize_dtype(x.dtype))
            return super().sample(x, grid, interpolation)

    model = Segmenter(Watched(size=(8, 8), grid_size=(6, 6)), network())
    model.compile("sgd", **STEP_BY_STEP)
    model.train_on_batch(images, labels)
    assert set(seen) == {"uint8"}


def test_channels_first_equals_channels_last():
    images, labels = scenes(void=True)
    results = []
    for data_format in ("channels_last", "channels_first"):
        first = data_format == "channels_first"
        keras.utils.set_random_seed(4)
        inputs = keras.Input((3, None, None) if first else (None, None, 3))
        x = layers.Permute((2, 3, 1))(inputs) if first else inputs
        x = layers.Dense(CLASSES)(layers.Rescaling(1 / 255)(x))
        net = keras.Model(inputs, layers.Permute((3, 1, 2))(x) if first else x)
        options = {"saliency": "learned", "grid_size": (6, 6), "data_format": data_format}
        model = Segmenter(SaliencySampler(size=(8, 8), **options), net, ignore_class=VOID)
        model.compile(keras.optimizers.SGD(0.1), **STEP_BY_STEP)
        given = np.moveaxis(images, -1, 1).copy() if first else images
        history = model.fit(given, labels, epochs=2, shuffle=False, verbose=0).history["loss"]
        logs = model.test_on_batch(given, labels, return_dict=True)
        predicted = model.predict(given, verbose=0)
        predicted = np.moveaxis(predicted, 1, -1) if first else predicted
        results.append((history, logs["mean_iou"], predicted))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.every_backend
def test_mixed_precision_trains():
    keras.config.set_dtype_policy("mixed_bfloat16")
    images, labels = scenes(16)
    optimizer = {"optimizer": keras.optimizers.Adam(0.02)}
    model = segmenter(compile_arguments=optimizer, edge_weight=1.0)
    history = model.fit(images, labels, epochs=5, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert to_numpy(model(images[:2])).dtype == np.float32


def source(kind, *arrays):
    if kind == "PyDataset":
        return {"x": Batches(*arrays), "shuffle": False}
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        return {"x": tf.data.Dataset.from_tensor_slices(arrays).batch(8), "shuffle": False}
    if kind == "DataLoader":
        torch = pytest.importorskip("torch")
        dataset = torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays))
        return {"x": torch.utils.data.DataLoader(dataset, batch_size=8), "shuffle": False}
    return {"x": arrays[0], "y": arrays[1], "batch_size": 8, "shuffle": False}


@pytest.mark.every_backend
def test_any_data_source_gives_the_same_training(backend):
    images, labels = scenes(16)
    results = []
    for kind in ("arrays", "PyDataset", "DataLoader" if backend == "torch" else "tf.data"):
        model = segmenter("uniform", rate=0.1, compile_arguments={"metrics": ["accuracy"]})
        history = model.fit(**source(kind, images, labels), verbose=0).history
        results.append((history["loss"], history["accuracy"], *model.get_weights()))
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.backends("tensorflow", "jax", reason="Keras has no several steps on PyTorch")
def test_several_steps_per_execution_are_the_same_training():
    images, labels = scenes(16)
    results = []
    for steps in (1, 2):
        arguments = {"steps_per_execution": steps, "run_eagerly": False}
        model = segmenter("uniform", rate=0.1, compile_arguments=arguments)
        history = model.fit(images, labels, batch_size=4, shuffle=False, verbose=0).history
        results.append((history["loss"], history["sampled_mean_iou"], *model.get_weights()))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["saliency", "uniform"])
def test_no_images(kind):
    images, _ = scenes()
    segmenter = Segmenter(sampler(kind), network(strides=2, kernel=3))
    assert segmenter.predict_on_batch(images[:0]).shape == (0, 16, 16, CLASSES)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_classes_of_every_pixel(interpolation, tmp_path):
    images, labels = scenes(5)
    model = segmenter(restore_interpolation=interpolation)
    found = model.predict_classes(images, batch_size=2)
    assert found.dtype == np.int32 and found.shape == labels.shape
    expected = model.predict(images, verbose=0).argmax(-1)
    assert np.mean(found == expected) > 0.99  # of equal probabilities any
    assert model.class_maps() is model.class_maps()
    model.class_maps().save(tmp_path / "classes.keras")
    again = keras.saving.load_model(tmp_path / "classes.keras")
    np.testing.assert_array_equal(step_by_step(again).predict(images, verbose=0), found)
    assert again.compute_output_spec(keras.Input((16, 16, 3))).shape == (None, 16, 16)
    model.save(tmp_path / "model.keras")  # and its own file does not hold it twice
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy.predict_classes(images), found)


@pytest.mark.backends("torch", reason="the order is plain Python")
def test_classes_of_a_dataset_that_shuffles_are_in_its_order():
    images, labels = scenes(6)
    images = images.astype("uint8")
    dataset = SegmentationDataset(
        lambda index, window: (images[index], labels[index]), [(16, 16)] * 6, CLASSES, VOID
    )
    maps = segmenter("uniform").class_maps()
    expected = maps.predict(images, verbose=0)
    np.testing.assert_array_equal(maps.predict(dataset, verbose=0), expected)


def test_classes_are_found_eagerly_where_the_model_is_compiled_so(monkeypatch):
    images, _ = scenes(4)
    model = segmenter("uniform", compile_arguments={"run_eagerly": False})
    expected = model.predict_classes(images)
    model.compile(run_eagerly=True)
    calls, call = [], model.network.call
    monkeypatch.setattr(
        model.network, "call", lambda *args, **kwargs: calls.append(1) or call(*args, **kwargs)
    )
    np.testing.assert_array_equal(model.predict_classes(images, batch_size=2), expected)
    assert len(calls) == 2 and model.class_maps().run_eagerly


@pytest.mark.backends("tensorflow", reason="strategies are TensorFlow's")
def test_arrays_train_under_a_strategy():
    import tensorflow as tf

    images, labels = scenes(4)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = segmenter("uniform", compile_arguments={"run_eagerly": False})
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"][0])
