"""A Segmenter in files, in a served model, on images of any size, and its report."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_resample.layers import SaliencySampler, UniformDownsample
from keras_resample.metrics import (
    class_frequency_change,
    confusion_matrix,
    mean_iou,
    trimap_accuracy,
    upsampling_iou,
)
from keras_resample.models import Segmenter, segmentation_report
from tests.exchange import files
from tests.models.test_segmenter import CLASSES, VOID, network, scenes, segmenter


@pytest.mark.every_backend
def test_saved_model_resumes_training(tmp_path):
    images, labels = scenes(void=True)
    optimizer = keras.optimizers.Adam(0.01)
    loss = keras.losses.CategoricalFocalCrossentropy(from_logits=True)
    compiled = {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]}
    model = segmenter(compile_arguments=compiled, ignore_class=VOID, edge_weight=3, edge_sigma=0.5)
    arguments = {"batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(images, labels, **arguments)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    own = "edge_weight", "ignore_class", "from_logits", "edge_sigma", "binary_edges"
    assert [getattr(copy, name) for name in own] == [getattr(model, name) for name in own]
    expected = model.evaluate(images, labels, verbose=0, return_dict=True)
    found = copy.evaluate(images, labels, verbose=0, return_dict=True)
    assert found.keys() == expected.keys() >= {"accuracy", "edge_loss", "mean_iou"}
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-5, err_msg=key)
    expected = model.fit(images, labels, epochs=2, **arguments).history
    found = copy.fit(images, labels, epochs=2, **arguments).history
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = segmenter(ignore_class=VOID)
    fresh.build((None, 16, 16, 3))
    fresh.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(fresh.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.every_backend
def test_exchange():
    """Backends load each other's file; the map is learned, so that no pixel is near a tie."""
    sampler = SaliencySampler(size=(6, 5), saliency="learned", grid_size=(5, 4), sigma=1.0)
    inputs = keras.Input((13, 11, 3), name="images")
    net = keras.Sequential([keras.Input((6, 5, 3)), layers.Conv2D(CLASSES, 3, padding="same")])
    model = Segmenter(sampler, net, edge_weight=2.0)
    functional = keras.Model({"images": inputs}, model(inputs))
    assert functional.output_shape == (None, 13, 11, CLASSES)
    rng = np.random.default_rng(0)
    sampler.variables[0].assign(rng.normal(0, 1.5, (5, 4)))
    images = rng.uniform(0, 1, (2, 13, 11, 3)).astype("float32")
    assert functional({"images": images}).shape == (2, 13, 11, CLASSES)
    files.write("segmenter", functional, {"images": images}, modules=("keras_resample",))


def exported(folder):
    import tensorflow as tf

    return tf.saved_model.load(str(folder))


@pytest.mark.every_backend
@pytest.mark.backends("tensorflow", "jax", reason="PyTorch writes no SavedModel by itself")
def test_served_model_restores(tmp_path):
    from keras_resample import export

    pytest.importorskip("tensorflow")
    images, _ = scenes(3)
    model = segmenter()
    expected = model.predict(images, verbose=0)
    path = export.saved_model(
        model, tmp_path / "1", output_name="probabilities", scale=1.0, endpoints="serving_default"
    )
    served = exported(path)
    serve = served.signatures["serving_default"]
    for part in (slice(0, 3), slice(0, 1)):
        found = serve(images=images[part].astype("float32"))["probabilities"].numpy()
        np.testing.assert_allclose(found, expected[part], atol=1e-4)
    model.export(tmp_path / "keras", verbose=False)
    served = exported(tmp_path / "keras")
    np.testing.assert_allclose(served.serve(images.astype("float32")), expected, atol=1e-4)


def test_images_of_any_size(backend):
    sizes = [(16, 24), (24, 12)]
    batches = [scenes(2, size, seed) for seed, size in enumerate(sizes)]

    class Sizes(keras.utils.PyDataset):
        def __len__(self):
            return len(batches)

        def __getitem__(self, i):
            return batches[i]

    model = Segmenter(UniformDownsample(size=(8, 8), preserve_aspect_ratio=True), network())
    model.build((None, None, None, 3))
    model.compile("sgd")
    history = model.fit(Sizes(), verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"][0])
    found = model.inspect(batches[1][0])
    assert found["sampled_images"].shape == (2, 8, 4, 3)
    assert found["probabilities"].shape == (2, 24, 12, CLASSES)
    if backend == "tensorflow":  # whose step does not know the sizes
        total = 0
        for images, labels in batches:
            predicted = model.inspect(images)["probabilities"].argmax(-1)
            total = total + confusion_matrix(labels, predicted, CLASSES)
        logs = model.evaluate(Sizes(), verbose=0, return_dict=True)
        np.testing.assert_allclose(logs["mean_iou"], mean_iou(total), rtol=1e-5)


def test_report_is_what_the_metrics_say():
    images, labels = scenes(6, void=True)
    model = segmenter(ignore_class=VOID)
    widths = [1, 2.5]
    report = segmentation_report(model, images, labels, trimap_widths=widths, batch_size=3)
    found = model.inspect(images)
    predicted = found["probabilities"].argmax(-1)
    matrix = confusion_matrix(labels, predicted, CLASSES, VOID)
    np.testing.assert_allclose(report["mean_iou"], mean_iou(matrix))
    logs = model.evaluate(images, labels, verbose=0, return_dict=True)
    np.testing.assert_allclose(report["sampled_mean_iou"], logs["sampled_mean_iou"], rtol=1e-6)
    np.testing.assert_allclose(
        report["trimap_accuracy"], trimap_accuracy(labels, predicted, widths, VOID)
    )
    np.testing.assert_allclose(
        report["upsampling_iou"], upsampling_iou(labels, found["grid"], CLASSES, VOID)
    )
    x, y = np.moveaxis(np.clip((found["grid"] * 16).astype(int), 0, 15), -1, 0)
    sampled = labels[np.arange(6)[:, None, None], y, x]
    np.testing.assert_allclose(
        report["class_frequency_change"],
        class_frequency_change(labels, sampled, CLASSES, VOID),
    )
    pairs = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    again = segmentation_report(model, pairs, trimap_widths=widths)
    for key, value in report.items():
        np.testing.assert_array_equal(again[key], value)
