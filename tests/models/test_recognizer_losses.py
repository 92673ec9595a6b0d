"""Auxiliary losses of the Recognizer: their sum, their weights, their names in the log."""

import keras
import numpy as np
import pytest

from keras_resample.heads import ArcFace
from keras_resample.losses import BatchHardTriplet
from keras_resample.models import Recognizer
from tests.models.test_recognizer import CLASSES, data, encoder
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP


def recognizer(*losses, rate=0.0, **compile_arguments):
    keras.utils.set_random_seed(3)
    model = Recognizer(encoder(), ArcFace(CLASSES, margin=0.2, scale=8.0), auxiliary_losses=losses)
    model.compile(**{"optimizer": keras.optimizers.SGD(rate), **STEP_BY_STEP, **compile_arguments})
    return model


def test_total_is_the_weighted_sum_and_the_log_has_every_name():
    images, labels = data()
    triplet, hinge = BatchHardTriplet("soft", name="soft"), BatchHardTriplet(2.0, name="hinge")
    alone = recognizer().train_on_batch(images, labels)
    model = recognizer((triplet, 0.5), hinge, metrics=["accuracy"])
    logs = model.train_on_batch(images, labels, return_dict=True)
    assert set(logs) == {"loss", "soft", "hinge", "accuracy"}
    embeddings = model.encoder.predict(images, verbose=0)
    for loss in (triplet, hinge):
        np.testing.assert_allclose(logs[loss.name], to_numpy(loss(labels, embeddings)), rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], alone + 0.5 * logs["soft"] + logs["hinge"], rtol=1e-5)
    history = model.fit(
        images, labels, batch_size=8, verbose=0, validation_data=(images[:8], labels[:8])
    ).history
    assert {"soft", "val_soft", "val_hinge", "val_loss"} <= set(history)
    expected = to_numpy(triplet(labels[:8], embeddings[:8]))
    np.testing.assert_allclose(history["val_soft"], [expected], rtol=1e-5)


@pytest.mark.every_backend
@pytest.mark.parametrize("jit_compile", [False, True])
def test_equals_a_functional_model_with_two_outputs(jit_compile, backend):
    if (backend, jit_compile) in (("torch", True), ("jax", False)):
        pytest.skip("torch compiles with a C++ compiler; JAX is slow uncompiled")
    images, labels = data()
    # Pixels of each image differ, so that no two distances are tied.
    images += np.random.default_rng(5).uniform(0, 0.5, images.shape).astype("float32")
    model = recognizer(
        (BatchHardTriplet("soft"), 0.5), rate=0.05, jit_compile=jit_compile, run_eagerly=False
    )
    model.build((None, 6, 6, 1))
    twin = keras.models.clone_model(model.encoder)
    inputs = keras.Input((6, 6, 1)), keras.Input((), dtype="int32")
    embeddings = twin(inputs[0])
    logits = ArcFace(CLASSES, margin=0.2, scale=8.0)(embeddings, labels=inputs[1])
    functional = keras.Model(inputs, [logits, embeddings])
    functional.set_weights(model.get_weights())
    functional.compile(
        keras.optimizers.SGD(0.05),
        [keras.losses.SparseCategoricalCrossentropy(from_logits=True), BatchHardTriplet("soft")],
        loss_weights=[1.0, 0.5],
        **STEP_BY_STEP,
    )
    arguments = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0}
    found = model.fit(images, labels, **arguments).history
    expected = functional.fit((images, labels), [labels, labels], **arguments).history
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
    for a, b in zip(model.get_weights(), functional.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", ["sample_weight", "class_weight"])
def test_weights_of_samples_count_in_every_loss(kind):
    images, labels = data()
    per_class = {0: 0.0, 1: 2.0, 2: 0.5, 3: 1.0}
    weights = np.array([per_class[k] for k in labels], "float32")
    triplet = BatchHardTriplet("soft", name="triplet")
    model = recognizer(triplet)
    given = weights if kind == "sample_weight" else per_class
    logs = model.fit(images, labels, batch_size=24, verbose=0, **{kind: given}).history
    embeddings = model.encoder.predict(images, verbose=0)
    terms = to_numpy(BatchHardTriplet("soft", reduction=None)(labels, embeddings))
    np.testing.assert_allclose(logs["triplet"], [np.mean(weights * terms)], rtol=1e-5)
    alone = recognizer().fit(images, labels, batch_size=24, verbose=0, **{kind: given}).history
    np.testing.assert_allclose(logs["loss"], alone["loss"][0] + logs["triplet"][0], rtol=1e-5)


def test_pulls_the_embeddings_of_a_class_together():
    images, labels = data(40)

    def spread(*losses):
        model = recognizer(*losses, optimizer=keras.optimizers.Adam(0.01))
        model.fit(images, labels, epochs=8, batch_size=20, verbose=0)
        embeddings = model.encoder.predict(images, verbose=0)
        inside = [np.var(embeddings[labels == k], axis=0).sum() for k in range(CLASSES)]
        return np.mean(inside) / np.var(embeddings, axis=0).sum()

    assert spread((BatchHardTriplet("soft"), 10.0)) < 0.9 * spread()


def test_saved_and_resumed(tmp_path):
    images, labels = data()
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    losses = (BatchHardTriplet(0.5, normalize=True), 0.3), BatchHardTriplet("soft", name="soft")
    model = recognizer(*losses, optimizer="adam")
    model.fit(images, labels, **arguments)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    key = "auxiliary_losses"
    assert again.get_config()[key] == model.get_config()[key]
    assert again.auxiliary_weights == [0.3, 1.0]
    expected = model.fit(images, labels, epochs=2, **arguments).history
    found = again.fit(images, labels, epochs=2, **arguments).history
    assert set(found) == {"loss", "batch_hard_triplet", "soft"}
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_a_configuration_without_auxiliary_losses_is_read():
    config = recognizer().get_config()
    del config["auxiliary_losses"]
    assert Recognizer.from_config(config).auxiliary_losses == []


@pytest.mark.parametrize(
    "losses",
    [
        ["mse"],
        [keras.losses.mean_squared_error],
        [(BatchHardTriplet(), -1.0)],
        [(BatchHardTriplet(), float("nan"))],
        [(BatchHardTriplet(), 1.0, 2.0)],
        [BatchHardTriplet(reduction=None)],
        [BatchHardTriplet(), BatchHardTriplet()],
        [BatchHardTriplet(name="loss")],
    ],
)
def test_wrong_losses_are_named(losses):
    with pytest.raises(ValueError, match="`auxiliary_losses`.*Received"):
        recognizer(*losses)
