"""What the losses and metrics of `compile` see in a Segmenter, and what they may not be."""

import keras
import numpy as np
import pytest

from keras_resample.models import Segmenter
from tests.models.test_segmenter import (
    CLASSES,
    VOID,
    logs_of,
    network,
    pieces,
    sampler,
    scenes,
    segmenter,
)
from tests.numerics import to_numpy

LOSSES = {
    "sparse": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "sparse of probabilities": "sparse_categorical_crossentropy",
    "one-hot": keras.losses.CategoricalCrossentropy(from_logits=True),
    "focal": keras.losses.CategoricalFocalCrossentropy(from_logits=True),
    "focal of probabilities": keras.losses.CategoricalFocalCrossentropy(),
    "squared": keras.losses.MeanSquaredError(),
    "sum": keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum"),
    "weighted mean": keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
    "dice": keras.losses.Dice(),
    "tversky": keras.losses.Tversky(alpha=0.3, beta=0.7),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_of_keras_sees_the_pixels_that_count(name):
    images, labels = scenes(4, void=True)
    loss = LOSSES[name]
    arguments = {"loss": loss, "run_eagerly": True}
    model = segmenter("uniform", ignore_class=VOID, compile_arguments=arguments)
    found = pieces(model, images)
    targets = labels[:, 1::2, 1::2].ravel()  # the pixel to the right of and below each sample
    valid = targets != VOID
    logits = found["logits"].reshape(-1, CLASSES)[valid]
    probabilities = found["sampled_probabilities"].reshape(-1, CLASSES)[valid]
    y_true = targets[valid].astype("int32")
    if not name.startswith("sparse"):
        y_true = np.eye(CLASSES, dtype="float32")[y_true]
    takes_logits = name in ("sparse", "one-hot", "focal", "sum")
    loss = keras.losses.get(loss)
    expected = np.mean(to_numpy(loss(y_true, logits if takes_logits else probabilities)))
    np.testing.assert_allclose(logs_of(model, images, labels)["loss"], expected, rtol=1e-5)


def test_a_loss_of_the_user_sees_integers_and_probabilities():
    images, labels = scenes(4)
    seen = []

    def own(y_true, y_pred):
        seen.append((tuple(y_true.shape), to_numpy(y_pred)))
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    model = segmenter("uniform", compile_arguments={"loss": own, "run_eagerly": True})
    expected = logs_of(segmenter("uniform"), images, labels)["loss"]
    if keras.backend.backend() != "jax":  # whose gradient traces the loss
        np.testing.assert_allclose(logs_of(model, images, labels)["loss"], expected, rtol=1e-5)
        shape, probabilities = seen[-1]
        assert shape == (4 * 8 * 8,)
        np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)


def test_a_network_may_return_probabilities():
    images, labels = scenes(4)
    of_logits = segmenter("uniform")
    model = segmenter("uniform", net=network(activation="softmax"), from_logits=False)
    a, b = (logs_of(m, images, labels) for m in (of_logits, model))
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-5)
    assert "logits" not in pieces(model, images)
    np.testing.assert_allclose(
        pieces(model, images)["sampled_probabilities"],
        pieces(of_logits, images)["sampled_probabilities"],
        atol=1e-6,
    )


def test_metrics_see_what_the_loss_sees():
    images, labels = scenes(4)
    metrics = ["accuracy", keras.metrics.MeanIoU(CLASSES, name="own", sparse_y_pred=False)]
    for loss in (LOSSES["sparse"], LOSSES["focal"]):
        sparse = loss is LOSSES["sparse"]
        metrics[1] = keras.metrics.MeanIoU(
            CLASSES, name="own", sparse_y_true=sparse, sparse_y_pred=False
        )
        arguments = {"loss": loss, "metrics": metrics}
        model = segmenter("uniform", compile_arguments=arguments)
        logs = logs_of(model, images, labels)
        predicted = pieces(model, images)["sampled_probabilities"].argmax(-1)
        np.testing.assert_allclose(
            logs["accuracy"], np.mean(predicted == labels[:, 1::2, 1::2]), rtol=1e-6
        )
        np.testing.assert_allclose(logs["own"], logs["sampled_mean_iou"], rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"loss": keras.losses.MeanSquaredError(reduction=None)}, "`loss` must reduce"),
        ({"loss": ["mse", "mae"]}, "`loss`"),
    ],
)
def test_losses_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        segmenter("uniform", compile_arguments=arguments)


def test_a_loss_of_logits_does_not_fit_probabilities():
    model = Segmenter(sampler("uniform"), network(activation="softmax"), from_logits=False)
    with pytest.raises(ValueError, match="from_logits=False.*Received"):
        model.compile("sgd", LOSSES["focal"])


def test_a_loss_of_regions_has_no_weights():
    images, labels = scenes(4)
    model = segmenter("uniform", compile_arguments={"loss": keras.losses.Dice()})
    with pytest.raises(ValueError, match="no weights of pixels.*Received"):
        model.train_on_batch(images, labels, sample_weight=np.ones(4))
