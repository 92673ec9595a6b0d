"""The Recognizer with heads that sample classes, keep statistics, or add losses."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.heads import AdaFace, ArcFace, CosFace, CurricularFace, MagFace
from keras_resample.models import Recognizer
from keras_resample.models.recognizer import IMAGES, LABELS, LOGITS, TARGETS
from tests.models.test_recognizer import CLASSES, data, encoder, source
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP

HEADS = {
    "CurricularFace": lambda: CurricularFace(CLASSES, scale=8.0, momentum=0.2),
    "AdaFace": lambda: AdaFace(CLASSES, scale=8.0, momentum=0.2),
    "MagFace": lambda: MagFace(CLASSES, scale=8.0),
    "subcenters": lambda: ArcFace(CLASSES, scale=8.0, subcenters=2),
    "sampled": lambda: ArcFace(CLASSES + 5, scale=8.0, sample_rate=0.7, seed=4),
}
STATISTICS = {"CurricularFace": {"t"}, "AdaFace": {"mean_length", "std_length"}}


def recognizer(name, **compile_arguments):
    keras.utils.set_random_seed(3)
    model = Recognizer(encoder(), HEADS[name]())
    own = {"optimizer": keras.optimizers.Adam(0.01), "metrics": ["accuracy"], **STEP_BY_STEP}
    model.compile(**{**own, **compile_arguments})
    return model


@pytest.mark.parametrize("name", HEADS)
def test_equals_the_functional_form(name):
    images, labels = data()
    model = recognizer(name, optimizer="sgd", run_eagerly=False)
    model.build((None, 6, 6, 1))
    twin = keras.models.clone_model(model.encoder)
    inputs = keras.Input((6, 6, 1)), keras.Input((), dtype="int32")
    functional = keras.Model(inputs, HEADS[name]()(twin(inputs[0]), labels=inputs[1]))
    functional.set_weights(model.get_weights())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    functional.compile("sgd", loss, metrics=["accuracy"], **STEP_BY_STEP)
    arguments = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    found = model.fit(images, labels, **arguments).history
    expected = functional.fit((images, labels), labels, **arguments).history
    for key in ("loss", "accuracy"):
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-5)
    for a, b in zip(model.get_weights(), functional.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_are_logged_and_stand_still_in_evaluation(name):
    images, labels = data()
    model = recognizer(name)
    history = model.fit(
        images, labels, batch_size=8, epochs=2, verbose=0, validation_data=(images, labels)
    ).history
    assert set(history) == {
        p + key for p in ("", "val_") for key in ("loss", "accuracy", *STATISTICS[name])
    }
    now = {key: float(to_numpy(value)) for key, value in model.head.statistics().items()}
    for key, value in now.items():
        np.testing.assert_allclose(history[key][-1], value, rtol=1e-6)
        np.testing.assert_allclose(history["val_" + key][-1], value, rtol=1e-6)
        assert len(set(history[key])) == 2
    model.evaluate(images, labels, verbose=0)
    model.predict(images, verbose=0)
    assert {k: float(to_numpy(v)) for k, v in model.head.statistics().items()} == now


@pytest.mark.parametrize("name", ["CurricularFace", "AdaFace", "MagFace"])
def test_resumed_as_if_never_stopped(name, tmp_path):
    images, labels = data()
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    whole = recognizer(name)
    expected = whole.fit(images, labels, epochs=4, **arguments).history
    first = recognizer(name)
    first.fit(images, labels, epochs=2, **arguments)
    first.save(tmp_path / "model.keras")
    second = keras.saving.load_model(tmp_path / "model.keras")
    found = second.fit(images, labels, epochs=4, initial_epoch=2, **arguments).history
    assert found.keys() == expected.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key][2:], rtol=1e-5)
    for a, b in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_statistics_may_be_none_of_the_heads():
    images, labels = data()
    model = Recognizer(encoder(), ArcFace(CLASSES))
    model.compile("sgd", **STEP_BY_STEP)
    assert set(model.fit(images, labels, verbose=0).history) == {"loss"}


def test_a_step_computes_the_sampled_classes_only():
    images, labels = data(8)
    head = CosFace(100, sample_rate=0.1)
    model = Recognizer(encoder(), head)
    model.build((None, 6, 6, 1))
    batch = {IMAGES: images, LABELS: labels}
    step = model(batch, training=True)
    assert tuple(step[LOGITS].shape) == (8, 10)
    # The logits at the targets are those of the whole head.
    embeddings = model.encoder(images)
    chosen = to_numpy(head(embeddings))[np.arange(8), labels] - 64 * 0.35
    found = to_numpy(step[LOGITS])[np.arange(8), to_numpy(step[TARGETS])]
    np.testing.assert_allclose(found, chosen, atol=1e-4)
    assert tuple(model(batch, training=False)[LOGITS].shape) == (8, 100)
    assert tuple(model(images, training=True).shape) == (8, 100)


@pytest.mark.every_backend
@pytest.mark.parametrize("jit_compile", [False, True])
def test_sampled_training_finds_the_classes(jit_compile, backend):
    if (backend, jit_compile) in (("torch", True), ("jax", False)):
        pytest.skip("torch compiles with a C++ compiler; JAX is slow uncompiled")
    images, labels = data(40)
    model = Recognizer(encoder(), ArcFace(40, margin=0.1, scale=16.0, sample_rate=0.5))
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")]
    model.compile(keras.optimizers.Adam(0.02), metrics=metrics, jit_compile=jit_compile)
    history = model.fit(images, labels, epochs=15, batch_size=10, verbose=0).history
    assert history["accuracy"][-1] > 0.9 and history["top2"][-1] > 0.9
    assert model.evaluate(images, labels, verbose=0, return_dict=True)["accuracy"] == 1.0
    assert model.predict(images, verbose=0).shape == (40, 40)


@pytest.mark.parametrize("kind", ["column", "PyDataset", "tf.data", "DataLoader"])
def test_sampled_training_from_any_data_source(kind):
    images, labels = data()
    losses = []
    for one in ("arrays", kind):
        model = recognizer("sampled")
        losses.append(model.fit(**source(one, images, labels), verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_mixed_float16_scales_the_loss_and_resumes(tmp_path):
    images, labels = data()
    keras.config.set_dtype_policy("mixed_float16")
    network = encoder()
    keras.config.set_dtype_policy("float32")
    model = Recognizer(network, CurricularFace(CLASSES, scale=64.0, dtype="mixed_float16"))
    model.compile(keras.optimizers.Adam(0.01), metrics=["accuracy"], **STEP_BY_STEP)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    history = model.fit(images, labels, epochs=8, **arguments).history
    assert history["loss"][-1] < history["loss"][0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, keras.optimizers.LossScaleOptimizer)
    for a, b in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))
    expected = model.fit(images, labels, epochs=2, **arguments).history
    found = again.fit(images, labels, epochs=2, **arguments).history
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-3)


def test_the_encoder_lives_on_its_own(tmp_path):
    images, labels = data()
    model = recognizer("CurricularFace")
    model.fit(images, labels, verbose=0)
    expected = model.encoder.predict(images, verbose=0)
    model.encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_allclose(again.predict(images, verbose=0), expected, atol=1e-6)
    # Another head on the same encoder.
    second = Recognizer(again, CosFace(2))
    second.compile("adam", **STEP_BY_STEP)
    second.fit(images, labels % 2, verbose=0)


@pytest.mark.backends("tensorflow", "jax", reason="torch exports in another process: tests/export")
def test_the_encoder_is_exported(tmp_path):
    import tensorflow as tf

    images, labels = data()
    model = recognizer("CurricularFace")
    model.fit(images, labels, verbose=0)
    kr.export.saved_model(model.encoder, tmp_path / "1")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    (name,) = served.structured_input_signature[1]
    (found,) = served(**{name: tf.constant(images)}).values()
    np.testing.assert_allclose(found, model.encoder.predict(images, verbose=0), atol=1e-5)


def test_backup_restores_statistics_and_sampled_classes(tmp_path):
    images, labels = data()

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def train(*callbacks):
        keras.utils.set_random_seed(3)
        head = CurricularFace(CLASSES + 5, scale=8.0, momentum=0.2, sample_rate=0.7, seed=4)
        model = Recognizer(encoder(), head)
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        model.compile(optimizer, metrics=["accuracy"], **STEP_BY_STEP)
        model.build((None, 6, 6, 1))
        model.fit(
            images,
            labels,
            batch_size=8,
            epochs=4,
            shuffle=False,
            verbose=0,
            callbacks=[kr.callbacks.EpochSeeds(), *callbacks],
        )
        return model

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path), delete_checkpoint=False)

    whole = train()
    with pytest.raises(KeyboardInterrupt):
        train(backup(), Stop())
    resumed = train(backup())
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
