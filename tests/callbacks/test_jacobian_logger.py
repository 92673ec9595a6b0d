"""The numbers in the log are those of the grid as it is at the end of the epoch."""

import csv

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP

SIZE = (12, 10)
NAMES = ("folded_cells", "jacobian_mean", "jacobian_min")


def warp(name=None, **arguments):
    return kr.layers.FlowWarpDownsample(0.5, data_format="channels_last", name=name, **arguments)


def random_flow(layer, pixels, seed=0):
    shape = tuple(layer.flow.shape)
    layer.set_flow(np.random.default_rng(seed).uniform(-pixels, pixels, shape).astype("float32"))


def network(*warps):
    """The mean of what each warp makes of the image, through a dense layer."""
    inputs = keras.Input((*SIZE, 1))
    features = [keras.layers.Flatten()(w(inputs)) for w in warps]
    x = features[0] if len(features) == 1 else keras.layers.Average()(features)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def train(model, callbacks, epochs=3, **arguments):
    random = np.random.default_rng(0)
    images, targets = random.uniform(size=(16, *SIZE, 1)), random.uniform(size=(16, 1))
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse", **arguments)
    return model.fit(images, targets, epochs=epochs, verbose=0, callbacks=callbacks).history


def logged_by(logger, model):
    """What the callback adds to the log of an epoch; a training without the training."""
    logger.set_model(model)
    logger.on_train_begin()
    logs = {"loss": 1.0}
    logger.on_epoch_end(0, logs)
    assert logs.pop("loss") == 1.0
    return logs


def folded_one_by_one(grid):
    """Cells of a grid (h', w', 2) with a triangle of three corners that is turned over, counted."""
    count = 0
    for i in range(grid.shape[0] - 1):
        for j in range(grid.shape[1] - 1):
            around = [grid[i, j], grid[i, j + 1], grid[i + 1, j + 1], grid[i + 1, j]]
            areas = [
                np.cross(around[k] - around[k - 1], around[(k + 1) % 4] - around[k])
                for k in range(4)
            ]
            count += min(areas) <= 0
    return count


class Recorder(keras.callbacks.Callback):
    """Reads the grid at the end of each epoch, by itself."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.expected = layer, []

    def on_epoch_end(self, epoch, logs=None):
        self.model.get_weights()  # On JAX this brings the current values back.
        jacobian = to_numpy(self.layer.jacobian())
        grid = to_numpy(self.layer.grid(np.zeros((1, *SIZE, 1), "float32")))[0].astype("float64")
        self.expected.append((folded_one_by_one(grid), jacobian.mean(), jacobian.min()))


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")
@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_values_are_current(jit_compile, backend):
    if backend != "tensorflow" and jit_compile is True:
        pytest.skip("JAX compiles anyway, and torch.compile needs a C++ compiler")
    layer = warp()
    model = network(layer)
    random_flow(layer, 2.0)
    recorder = Recorder(layer)
    # The recorder comes first, so that it cannot profit from what the logger does.
    history = train(model, [recorder, kr.callbacks.JacobianLogger()], jit_compile=jit_compile)
    logged = np.array([history[name] for name in NAMES]).T
    np.testing.assert_allclose(logged, recorder.expected, rtol=1e-6)
    assert logged[0, 0] > 0
    assert len(set(logged[:, 1])) == 3, "the flow moves every epoch"
    # The last values are those of the trained layer.
    assert logged[-1, 2] == pytest.approx(to_numpy(layer.jacobian()).min(), rel=1e-6)


def test_without_flow_the_grid_is_uniform():
    logs = logged_by(kr.callbacks.JacobianLogger(), network(warp()))
    assert list(logs) == ["jacobian_mean", "jacobian_min", "folded_cells"]
    assert logs["jacobian_mean"] == pytest.approx(1.0, rel=1e-6)
    assert logs["jacobian_min"] == pytest.approx(1.0, rel=1e-5)
    assert logs["folded_cells"] == 0


def test_every_later_callback_sees_them(tmp_path, capsys):
    model = network(warp())
    stopping = keras.callbacks.EarlyStopping("jacobian_min", min_delta=9.0, patience=1, mode="max")
    callbacks = [
        kr.callbacks.JacobianLogger(),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        stopping,
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.weights.h5"),
            monitor="folded_cells",
            mode="min",
            save_best_only=True,
            save_weights_only=True,
        ),
    ]
    images = np.random.default_rng(0).uniform(size=(8, *SIZE, 1))
    model.compile(optimizer="adam", loss="mse", **STEP_BY_STEP)
    model.fit(images, np.ones((8, 1)), epochs=9, verbose=2, callbacks=callbacks)
    assert stopping.stopped_epoch == 1
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["folded_cells"] for row in rows] == ["0", "0"]
    assert all(0.5 < float(row["jacobian_mean"]) < 1.5 for row in rows)
    assert (tmp_path / "best.weights.h5").is_file()
    assert "jacobian_min" in capsys.readouterr().out


def test_several_layers_are_named():
    first, second = warp("first"), warp("second")
    model = network(first, second)
    random_flow(second, 1.0)
    logs = logged_by(kr.callbacks.JacobianLogger(), model)
    assert set(logs) == {f"{layer}_{name}" for layer in ("first", "second") for name in NAMES}
    assert logs["first_jacobian_min"] > logs["second_jacobian_min"]


def test_one_layer_on_several_inputs_is_logged_once():
    layer = warp()
    logs = logged_by(kr.callbacks.JacobianLogger(), network(layer, layer))
    assert set(logs) == set(NAMES)


class Wrapper(keras.layers.Layer):
    """Holds layers in a list inside a layer."""

    def __init__(self, *layers):
        super().__init__()
        self.parts = list(layers)

    def build(self, input_shape):
        for part in self.parts:
            part.build(input_shape)
            input_shape = part.compute_output_shape(input_shape)

    def call(self, images):
        for part in self.parts:
            images = part(images)
        return images

    def compute_output_shape(self, input_shape):
        for part in self.parts:
            input_shape = part.compute_output_shape(input_shape)
        return input_shape


def test_nested_layers_are_found():
    encoder = network(warp())
    inputs = keras.Input((*SIZE, 1))
    outer = keras.Model(inputs, encoder(inputs))
    wrapped = keras.Sequential(
        [inputs, Wrapper(warp()), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    for model in (outer, wrapped):
        assert set(logged_by(kr.callbacks.JacobianLogger(), model)) == set(NAMES)


def test_the_encoder_of_a_recognizer_is_found():
    inputs = keras.Input((*SIZE, 1))
    embeddings = keras.layers.Dense(4)(keras.layers.Flatten()(warp()(inputs)))
    recognizer = kr.models.Recognizer(
        keras.Model(inputs, embeddings), head=kr.heads.ArcFace(num_classes=3)
    )
    recognizer.compile(optimizer="adam", **STEP_BY_STEP)
    images = np.random.default_rng(0).uniform(size=(6, *SIZE, 1))
    history = recognizer.fit(
        images, np.arange(6) % 3, verbose=0, callbacks=[kr.callbacks.JacobianLogger()]
    )
    assert set(NAMES) <= set(history.history)


def predicted():
    """A flow that moves every row by the brightness of the image: as uniform, but shifted."""
    inputs = keras.Input((*SIZE, 1))
    x = keras.layers.Conv2D(2, 1, data_format="channels_last", kernel_initializer="ones")(inputs)
    return warp("predicted", flow=keras.Model(inputs, x))


def test_a_predicted_flow_is_logged_for_images():
    layer = predicted()
    images = np.random.default_rng(1).uniform(size=(3, *SIZE, 1)).astype("float32")
    logs = logged_by(kr.callbacks.JacobianLogger(images), network(layer))
    jacobian = to_numpy(layer.jacobian(ops.convert_to_tensor(images)))
    assert jacobian.shape == (3, 6, 5)
    assert logs["jacobian_mean"] == pytest.approx(jacobian.mean(), rel=1e-5)
    assert logs["jacobian_min"] == pytest.approx(jacobian.min(), rel=1e-5)


def test_a_predicted_flow_is_left_out_without_images():
    logger = kr.callbacks.JacobianLogger()
    assert set(logged_by(logger, network(warp("learned"), predicted()))) == set(NAMES)
    with pytest.raises(ValueError, match="predicts its flow needs `images`.*Received: "):
        logged_by(logger, network(predicted()))


def test_a_model_without_the_layer_is_refused():
    model = keras.Sequential(
        [keras.Input((*SIZE, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    with pytest.raises(ValueError, match="has no FlowWarpDownsample.*Received: "):
        train(model, [kr.callbacks.JacobianLogger()])


def test_images_must_be_a_batch():
    with pytest.raises(ValueError, match=r"`images`.*Received: images of shape \(12, 10\)"):
        kr.callbacks.JacobianLogger(np.ones(SIZE))
