"""An export appears completely or not at all, and says which argument is wrong."""

import functools
import pathlib
import resource
import sys

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.export.folders import as_target
from tests.export.small_models import NATIVE, load, pooled

pytest.importorskip("tensorflow")


@NATIVE
def test_overwrite_replaces_a_saved_model(tmp_path):
    path = tmp_path / "1"
    path.mkdir()  # An empty folder is no obstacle.
    kr.export.saved_model(
        pooled((6, 6)), path, output_name="old", endpoints="serving_default", check=False
    )
    with pytest.raises(ValueError, match="overwrite=True"):
        kr.export.saved_model(pooled((6, 6)), path)
    kr.export.saved_model(pooled((6, 6)), path, output_name="new", overwrite=True, check=False)
    assert list(load(path).signatures["serving_default"].structured_outputs) == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


def test_the_next_version_is_named(tmp_path):
    for name in ("1", "2", "face"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_text("")
    third = str(tmp_path / "3")
    with pytest.raises(ValueError, match=f"the next version, path='{third}'.*Received: path="):
        as_target(tmp_path / "1", overwrite=False)
    with pytest.raises(ValueError, match="Write to another folder.*overwrite=True"):
        as_target(tmp_path / "face", overwrite=False)


def test_overwrite_spares_other_folders(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="other files"):
        kr.export.saved_model(pooled((6, 6)), tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("exception", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_export_loses_nothing(tmp_path, monkeypatch, exception):
    path = tmp_path / "1"
    path.mkdir()
    (path / "saved_model.pb").write_text("the earlier result")

    def interrupted(model, folder, *arguments):
        pathlib.Path(folder).mkdir()
        (pathlib.Path(folder) / "saved_model.pb").write_text("half a ")
        raise exception

    module = sys.modules["keras_resample.export.saved_model"]
    monkeypatch.setattr(module, "write_saved_model", interrupted)
    monkeypatch.setattr(module, "write_through_tensorflow", interrupted)
    with pytest.raises(exception):
        kr.export.saved_model(pooled((6, 6)), path, overwrite=True)
    assert (path / "saved_model.pb").read_text() == "the earlier result"
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


@NATIVE
def test_a_full_disk_is_named(tmp_path):
    """No file may become longer than 100 bytes: what a full disk does, without filling one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"could not be written.*Received: path='.*1'"):
            kr.export.saved_model(pooled((6, 6)), tmp_path / "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Received: path='.*file/face/1'"):
        kr.export.saved_model(pooled((6, 6)), tmp_path / "file" / "face" / "1")


def test_without_tensorflow(tmp_path, monkeypatch):
    module = sys.modules["keras_resample.export.tensorflow_process"]
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"keras-resample\[serving\]"):
        kr.export.saved_model(pooled((6, 6)), tmp_path / "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": ""}, "`path` must be a folder"),
        ({"path": 3}, "`path` must be a folder"),
        ({"path": "gs://bucket/face/1"}, "`path` must be a folder of this machine"),
        ({"path": __file__}, "it is a file"),
        ({"output_name": "my output"}, "`output_name`"),
        ({"output_name": None}, "`output_name`"),
        ({"image_size": (6, 7)}, "`image_size`"),
        ({"image_size": 6}, "`image_size`"),
        ({"scale": float("nan")}, "`scale`"),
        ({"offset": "0"}, "`offset`"),
        ({"endpoints": "serve_jpeg"}, "`endpoints`"),
        ({"endpoints": ("serving_default", "serve_png")}, "`endpoints`"),
        ({"data_format": "NHWC"}, "`data_format`"),
        ({"data_format": "channels_first"}, "channels"),
        ({"bridge": "yes"}, "`bridge`"),
        ({"model": pooled()}, "`image_size`"),
        ({"model": pooled((6, 6), 5)}, "channels"),
        ({"model": pooled((6, 6), dtype="uint8")}, "scale=1"),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "must be built"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    arguments = {"model": pooled((6, 6)), "path": tmp_path / "1", **arguments}
    with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
        kr.export.saved_model(**arguments)
    assert list(tmp_path.iterdir()) == []


def scaled(kind):
    inputs = keras.Input((6, 6, 3))
    if kind == "Rescaling":
        x = keras.layers.Rescaling(1 / 255, name="to_unit")(inputs)
    elif kind == "Normalization":
        x = keras.layers.Normalization(mean=[1.0] * 3, variance=[2.0] * 3, axis=-1, name="to_unit")(
            inputs
        )
    else:  # what `preprocess_input` does in each of its modes
        x = kr.layers.GridSampler(0.5, data_format="channels_last")(inputs)
        x = keras.applications.imagenet_utils.preprocess_input(x, "channels_last", kind)
    return pooled((None, None))(x), inputs


@pytest.mark.parametrize("kind", ["Rescaling", "Normalization", "tf", "torch", "caffe"])
@pytest.mark.parametrize("depth", [0, 2])
def test_a_model_that_scales_its_images_itself_needs_a_scale(tmp_path, kind, depth):
    outputs, inputs = scaled(kind)
    model = keras.Model(inputs, outputs)
    for _ in range(depth):
        outer = keras.Input((6, 6, 3))
        model = keras.Model(outer, model(outer))
    model = kr.models.Recognizer(model, kr.heads.ArcFace(3)) if depth else model
    name = "to_unit" if kind in ("Rescaling", "Normalization") else "(add|divide|subtract)"
    with pytest.raises(ValueError, match=f"`scale` is needed.*Received: scale=None.*{name}"):
        kr.export.saved_model(model, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []
    module = sys.modules["keras_resample.export.contract_of_model"]
    contract = functools.partial(module.contract_of, module.served_model(model), "embedding", None)
    arguments = 0.0, ("serving_default", "serve_jpeg"), "channels_last"
    assert contract(1 / 255, *arguments).scale == 1 / 255
    assert contract(1, *arguments).scale == 1
    contract(None, 0.0, ("serving_default",), "channels_last")


@pytest.mark.parametrize("of_global", ["channels_last", "channels_first"])
@pytest.mark.parametrize("shape", [(3, 6, 8), (6, 8, 3), (3, None, None)])
def test_the_data_format_is_that_of_the_model(of_global, shape):
    keras.config.set_image_data_format(of_global)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.ops.mean(inputs, axis=(2, 3)))
    contract = sys.modules["keras_resample.export.contract_of_model"].contract_of
    found = contract(model, "embedding", (6, 8), 1.0, 0.0, ("serving_default", "serve_jpeg"), None)
    assert found.data_format == ("channels_last" if shape[2] == 3 else "channels_first")
    assert (found.channels, found.image_size) == (3, (6, 8))


def test_a_segmenter_that_scales_its_images_itself_needs_a_scale(tmp_path):
    network = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(2, 1)])
    sampler = kr.layers.UniformDownsample(0.5, data_format="channels_last")
    model = kr.models.Segmenter(sampler, network)
    model.build((None, 8, 8, 3))
    module = sys.modules["keras_resample.export.contract_of_model"]
    for one in (model, model.class_maps()):
        with pytest.raises(ValueError, match="`scale` is needed.*Received: scale=None.*rescaling"):
            kr.export.saved_model(one, tmp_path / "1")
        assert module.input_signature(one) == ((None, 8, 8, 3), "float32")


def test_scales_inside_a_network_are_no_preprocessing(tmp_path):
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3)(inputs)
    model = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Conv2D(4, 1)(x) * 0.1 + x))
    module = sys.modules["keras_resample.models.steps.own_scaling"]
    assert module.own_scaling(model) == []


def beginning(kind):
    """A model that scales its images after layers that leave them images."""
    inputs = keras.Input((6, 6, 3))
    x = inputs
    if kind == "augmented":
        flips = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)])
        x = keras.applications.imagenet_utils.preprocess_input(flips(x), mode="tf")
    elif kind == "resized":
        x = keras.layers.ZeroPadding2D(1)(keras.layers.Resizing(4, 4)(x)) / 255
    elif kind == "lambda":
        x = keras.layers.Lambda(lambda pixels: pixels / 127.5 - 1)(x)
    else:
        within = keras.Input((6, 6, 3))
        x = keras.Model(within, keras.layers.CenterCrop(4, 4)(within))(x) - 127.5
    return keras.Model(inputs, keras.layers.Conv2D(2, 1)(x))


@pytest.mark.parametrize("kind", ["augmented", "resized", "lambda", "nested"])
@pytest.mark.backends("torch", reason="nothing of a backend")
def test_scaling_after_layers_that_leave_images_images_is_seen(kind):
    module = sys.modules["keras_resample.models.steps.own_scaling"]
    assert module.own_scaling(beginning(kind))


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_blocks_inside_a_network_are_no_preprocessing():
    a, b = keras.Input((6, 6, 4)), keras.Input((6, 6, 4))
    block = keras.Model([a, b], keras.ops.relu(a + b))
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 1)(inputs)
    model = keras.Model(inputs, block([x, keras.layers.Conv2D(4, 1)(x)]))
    module = sys.modules["keras_resample.models.steps.own_scaling"]
    assert module.own_scaling(model) == []
    assert module.own_scaling(kr.models.Recognizer(model, kr.heads.ArcFace(3))) == []


def test_models_that_cannot_be_served(tmp_path):
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        kr.export.saved_model(keras.layers.Dense(2), tmp_path / "1")
    inputs = keras.Input((6, 6, 3))
    with pytest.raises(ValueError, match="a name for each of 2 outputs"):
        kr.export.saved_model(keras.Model(inputs, [inputs, inputs]), tmp_path / "1")
    with pytest.raises(ValueError, match="one input that is a batch of images"):
        kr.export.saved_model(
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]), tmp_path / "1"
        )


def test_a_subclassed_model_has_the_shape_it_was_called_with():
    class Subclassed(keras.Model):
        def call(self, images):
            return images

    model = Subclassed()
    model(np.zeros((2, 5, 6, 3), "float32"))
    module = sys.modules["keras_resample.export.contract_of_model"]
    assert module.input_signature(model) == ((None, 5, 6, 3), "float32")


@pytest.mark.parametrize("text", ["{", "[1]", '{"colour": "red"}'])
def test_a_contract_of_another_version_is_named(tmp_path, text):
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "keras_resample.json").write_text(text)
    with pytest.raises(ValueError, match="must hold assets.extra/keras_resample.json as this"):
        kr.export.check(tmp_path, pooled((6, 6)))


def test_what_is_not_the_model_does_not_appear(tmp_path, monkeypatch):
    def differs(path, model, tolerance):
        raise ValueError(f"It differs by 3. Received: path={str(path)!r}")

    def write(model, folder, contract, *more):
        pathlib.Path(folder).mkdir()
        contract.versions = {"tensorflow": "2.21.0"}
        (pathlib.Path(folder) / "saved_model.pb").write_text("")
        contract.write(folder)

    module = sys.modules["keras_resample.export.saved_model"]
    monkeypatch.setattr(module, "write_saved_model", write)
    monkeypatch.setattr(module, "write_through_tensorflow", write)
    monkeypatch.setattr(module, "check_saved_model", differs)
    path = tmp_path / "1"
    message = f"Nothing was written.*check=False.*It differs by 3. Received: path='{path}'"
    with pytest.raises(ValueError, match=message):
        kr.export.saved_model(pooled((6, 6)), path)
    assert list(tmp_path.iterdir()) == []
    with pytest.warns(UserWarning, match="was not compared with the model"):
        kr.export.saved_model(pooled(), path, endpoints="serving_default")
    kr.export.saved_model(pooled((6, 6)), path, overwrite=True, check=False)
