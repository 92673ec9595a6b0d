"""The influence loss is the trunk's classification loss, and the trunk's classifier stays."""

import keras
import numpy as np
import pytest

from keras_resample.heads import AdaFace, ArcFace, CosFace, CurricularFace, MarginHead
from keras_resample.losses import InfluenceLoss
from keras_resample.models import Recognizer
from tests.numerics import assert_close, check_gradients, gradients, to_numpy, with_values
from tests.steps import STEP_BY_STEP

CLASSES, DIM = 5, 6
HEADS = [MarginHead, ArcFace, CosFace, CurricularFace, AdaFace]


def batch(n=9, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, CLASSES, n), rng.normal(size=(n, DIM)).astype("float32")


def built(head_class=ArcFace, **arguments):
    head = head_class(CLASSES, scale=8.0, kernel_initializer="random_normal", **arguments)
    head.build((None, DIM))
    return head


def dense():
    layer = keras.layers.Dense(CLASSES)
    layer.build((None, DIM))
    return layer


def cross_entropy(logits, labels):
    logits = to_numpy(logits).astype("float64")
    shifted = logits - logits.max(1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return -log[np.arange(len(labels)), labels]


@pytest.mark.parametrize("head_class", HEADS)
def test_is_the_loss_of_a_training_step_of_a_frozen_head(head_class):
    labels, embeddings = batch()
    head = built(head_class)
    found = InfluenceLoss(head, reduction=None)(labels, embeddings)
    head.trainable = False  # statistics stand still
    expected = cross_entropy(head(embeddings, labels, training=True), labels)
    assert_close(found, expected)
    assert_close(InfluenceLoss(head)(labels[:, None], embeddings), np.mean(expected))


def test_any_layer_with_logits_is_a_classifier():
    labels, embeddings = batch()
    layer = dense()
    expected = cross_entropy(layer(embeddings), labels)
    assert_close(InfluenceLoss(layer, reduction=None)(labels, embeddings), expected)
    weight = np.random.default_rng(1).uniform(size=9).astype("float32")
    assert_close(InfluenceLoss(layer)(labels, embeddings, weight), np.mean(expected * weight))


@pytest.mark.parametrize("head_class", HEADS)
def test_gradient_to_the_embeddings(head_class):
    labels, embeddings = batch()
    loss = InfluenceLoss(built(head_class))
    check_gradients(lambda x: loss(labels, x), embeddings, entries=20)


@pytest.mark.parametrize("head_class", [*HEADS, None])
def test_no_gradient_to_the_classifier(head_class):
    labels, embeddings = batch()
    loss = InfluenceLoss(built(head_class) if head_class else dense())
    variables = loss.classifier.variables
    assert not loss.classifier.trainable_variables
    found = gradients(
        lambda *values: with_values(variables, values, lambda: loss(labels, embeddings)),
        *[to_numpy(v) for v in variables],
    )
    assert len(found) == len(variables) > 0
    assert all(not gradient.any() for gradient in found)


@pytest.mark.parametrize("head_class", [CurricularFace, AdaFace])
def test_classifier_and_statistics_never_move(head_class):
    labels, embeddings = batch(32)
    head = built(head_class, momentum=0.5)
    loss = InfluenceLoss(head)
    before = [to_numpy(w) for w in head.weights]
    model = keras.Sequential([keras.Input((DIM,)), keras.layers.Dense(DIM)])
    model.compile(keras.optimizers.AdamW(0.05, weight_decay=0.1), loss)
    history = model.fit(embeddings, labels, epochs=12, verbose=0).history["loss"]
    assert history[-1] < history[0]
    for owner in (head, loss.classifier):
        for weight, old in zip(owner.weights, before, strict=True):
            np.testing.assert_array_equal(to_numpy(weight), old)


@pytest.mark.parametrize("make", [built, dense])
def test_a_label_of_no_class_is_an_error_or_nan(make):
    """An error where it can be read; in a compiled step, which goes on, the loss is NaN."""
    labels, embeddings = batch()
    labels[3] = CLASSES
    loss = InfluenceLoss(make())
    assert loss.num_classes == CLASSES
    with pytest.raises(ValueError, match=r"`labels` must be in \[0, num_classes\)"):
        loss(labels, embeddings)
    model = keras.Sequential([keras.Input((DIM,)), keras.layers.Dense(DIM)])
    model.compile(keras.optimizers.SGD(0.0), loss)
    try:
        found = model.evaluate(embeddings, labels, verbose=0)
    except Exception as error:  # of the loss, or on TensorFlow of the operation
        assert "labels" in str(error) or "label" in str(error)
    else:
        assert np.isnan(found)


def test_the_copy_is_independent():
    labels, embeddings = batch()
    head = built()
    loss = InfluenceLoss(head)
    expected = loss(labels, embeddings)
    head.kernel.assign(np.ones((CLASSES, DIM)))
    assert_close(loss(labels, embeddings), expected)
    assert head.trainable and head.trainable_variables


def test_all_classes_of_a_sampled_head_count():
    labels, embeddings = batch()
    head = built(MarginHead, sample_rate=0.5)
    expected = cross_entropy(head(embeddings, labels), labels)
    assert_close(InfluenceLoss(head, reduction=None)(labels, embeddings), expected)


def recognizer(loss):
    encoder = keras.Sequential([keras.Input((DIM,)), keras.layers.Dense(DIM)])
    model = Recognizer(encoder, ArcFace(3, scale=8.0), auxiliary_losses=[(loss, 2.0)])
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), **STEP_BY_STEP)
    return model


def test_inside_of_a_recognizer_it_is_saved_with_its_weights(tmp_path):
    labels, embeddings = batch(24)
    labels = labels % 3
    loss = InfluenceLoss(built(CurricularFace))
    frozen = [to_numpy(w) for w in loss.classifier.weights]
    model = recognizer(loss)
    model.trainable = False
    model.trainable = True  # reaches every layer
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), **STEP_BY_STEP)
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    history = model.fit(embeddings, labels, epochs=2, **arguments).history
    assert set(history) == {"loss", "influence_loss"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one in (model, again):
        classifier = one.auxiliary_losses[0].classifier
        for weight, old in zip(classifier.weights, frozen, strict=True):
            np.testing.assert_array_equal(to_numpy(weight), old)
    expected = model.fit(embeddings, labels, **arguments).history
    found = again.fit(embeddings, labels, **arguments).history
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_inside_of_a_compiled_model_it_is_saved_with_its_weights(tmp_path):
    labels, embeddings = batch()
    model = keras.Sequential([keras.Input((DIM,)), keras.layers.Dense(DIM)])
    model.compile("sgd", InfluenceLoss(built()))
    expected = model.evaluate(embeddings, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.evaluate(embeddings, labels, verbose=0), expected, rtol=1e-5)


def test_configuration():
    loss = InfluenceLoss(built(), reduction="sum", name="trunk")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is InfluenceLoss and again.get_config() == loss.get_config()
    assert (again.name, again.reduction) == ("trunk", "sum")
    assert again.classifier.get_config() == loss.classifier.get_config()
    assert tuple(again.classifier.kernel.shape) == (CLASSES, DIM)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_classifier_of_probabilities_is_refused(activation):
    dense = keras.layers.Dense(CLASSES, activation=activation)
    for wrong in (keras.Sequential([keras.Input((DIM,)), dense]), dense):
        with pytest.raises(ValueError, match="`classifier` must return logits.*Received"):
            InfluenceLoss(wrong)


@pytest.mark.parametrize("wrong", [ArcFace(CLASSES), keras.layers.Dense(3), "head", None])
def test_wrong_classifiers_are_named(wrong):
    with pytest.raises(ValueError, match="`classifier`.*Received"):
        InfluenceLoss(wrong)
