"""Every mistake has its own sentence, before anything is trained where arrays are given."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

import keras_resample as kr
from keras_resample.layers import GridSampler, SaliencySampler, UniformDownsample
from keras_resample.models import Segmenter, segmentation_report
from tests.models.test_recognizer import Batches
from tests.models.test_segmenter import CLASSES, VOID, network, sampler, scenes, segmenter
from tests.numerics import to_numpy


def everywhere(model, images, labels):
    """The ways to hand arrays to a model."""
    good = scenes(len(images))
    return (
        lambda: model.fit(images, labels, batch_size=2, verbose=0),
        lambda: model.fit(*good, validation_data=(images, labels), verbose=0),
        lambda: model.evaluate(images, labels, verbose=0),
        lambda: model.train_on_batch(images, labels),
        lambda: model.test_on_batch(images, labels),
        lambda: segmentation_report(model, images, labels),
    )


@pytest.mark.parametrize(
    "wrong, ignore_class", [(CLASSES, None), (VOID, None), (VOID, 0), (7, 255)]
)
def test_class_ids_that_the_network_does_not_have(wrong, ignore_class):
    images, labels = scenes()
    labels[-1, 3, 5] = wrong
    model = segmenter("uniform", rate=0.1, ignore_class=ignore_class)
    before = [to_numpy(v) for v in model.network.variables]
    message = (
        rf"`labels` must be in \[0, {CLASSES}\).*`ignore_class`.*ids \[{wrong}\].*={ignore_class}"
    )
    for attempt in everywhere(model, images, labels):
        with pytest.raises(ValueError, match=message):
            attempt()
    for a, b in zip(model.network.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(a), b)


def test_negative_class_ids():
    images, labels = scenes()
    labels = labels.astype("int32")
    labels[0, 0, 0] = -1
    with pytest.raises(ValueError, match=r"`labels` must be in.*ids \[-1\]"):
        segmenter("uniform").fit(images, labels, verbose=0)
    history = segmenter("uniform", ignore_class=-1).fit(images, labels, verbose=0).history
    assert np.isfinite(history["loss"][0])


@pytest.mark.parametrize("void", [VOID, -1])
def test_a_class_that_never_comes_while_much_is_ignored(void):
    images, labels = scenes()
    labels = labels.astype("int32")
    labels[labels != 0] = void
    told = rf"has the class 1, .*label {void}, which counts nowhere.*num_classes={CLASSES}"
    with pytest.warns(UserWarning, match=told) as warned:
        segmenter("uniform", ignore_class=void).fit(images, labels, verbose=0)
    assert [w.filename for w in warned if "counts nowhere" in str(w.message)] == [__file__]


@pytest.mark.parametrize("void", [VOID, -1])
def test_batches_of_one_class_beside_the_ignored_one(void):
    images, labels = scenes()
    labels = labels.astype("int32")
    several = Batches(images, np.where(labels == 0, void, labels))
    one = Batches(images, np.where(labels == 0, 0, void))
    model = segmenter("uniform", ignore_class=void)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(one, verbose=0, epochs=0)
        model.fit(several, verbose=0, validation_data=one)
        model.fit(several, verbose=0)
    told = rf"had the class 0 only. If the label {void}.*num_classes={CLASSES}, ignore"
    with pytest.warns(UserWarning, match=told) as warned:
        model.fit(one, verbose=0)
    assert [w.filename for w in warned if "counts nowhere" in str(w.message)] == [__file__]


def test_the_ignored_class_may_have_a_weight_and_keys_may_be_whole_floats():
    images, labels = scenes()
    labels[:, 0] = VOID
    losses = []
    for weights in ({0: 2, 1: 3}, {0.0: 2.0, 1.0: 3.0, VOID: 0.0}):
        model = segmenter("uniform", ignore_class=VOID)
        losses += model.fit(images, labels, verbose=0, class_weight=weights).history["loss"]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_no_word_where_all_classes_come_or_nothing_is_ignored():
    images, labels = scenes()
    some = labels.copy()
    some[:, 0] = VOID
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        segmenter("uniform", ignore_class=VOID).fit(images, some, verbose=0)
        segmenter("uniform").fit(images, 0 * labels, verbose=0)


@pytest.mark.every_backend
def test_class_ids_of_batches_are_never_silent():
    images, labels = scenes()
    labels[3] = CLASSES
    model = segmenter("uniform", compile_arguments={"run_eagerly": False})
    try:
        loss = model.fit(Batches(images, labels), verbose=0).history["loss"][0]
    except Exception as error:  # each framework has its own
        assert "labels" in str(error)
    else:
        assert np.isnan(loss)


@pytest.mark.parametrize(
    "change",
    [
        lambda labels: labels[:, :8, :8],
        lambda labels: labels[:, :, :15],
        lambda labels: labels[..., None],
        lambda labels: labels[:4],
        lambda labels: labels[0],
        lambda labels: labels.astype("float32"),
    ],
)
def test_labels_of_another_size_or_kind(change):
    images, labels = scenes()
    model = segmenter("uniform")
    for attempt in everywhere(model, images, change(labels)):
        with pytest.raises(ValueError, match="`labels` must (have shape|be integers).*Received"):
            attempt()
    with pytest.raises(ValueError, match="`labels` are needed"):
        model.fit(images, verbose=0)


@pytest.mark.backends("tensorflow", reason="sizes unknown to a step are TensorFlow's")
def test_labels_of_another_size_in_a_step_of_unknown_size():
    import tensorflow as tf

    images, labels = scenes()

    def data(labels):
        signature = (
            tf.TensorSpec((None, None, None, 3), tf.uint8),
            tf.TensorSpec((None, None, None), tf.uint8),
        )
        return tf.data.Dataset.from_generator(
            lambda: iter([(images, labels)]), output_signature=signature
        )

    model = segmenter("uniform", compile_arguments={"run_eagerly": False})
    model.build((None, None, None, 3))
    assert np.isfinite(model.fit(data(labels), verbose=0).history["loss"][0])
    assert np.isnan(model.fit(data(labels[:, :8]), verbose=0).history["loss"][0])


def test_samplers_larger_than_the_image():
    images, labels = scenes()
    model = Segmenter(UniformDownsample(size=(17, 8)), network())
    model.compile("sgd")
    for attempt in (
        lambda: model.fit(images, labels, verbose=0),
        lambda: model.predict(images, verbose=0),
        lambda: model(images),
    ):
        with pytest.raises(ValueError, match="must not.*Received"):
            attempt()


@pytest.mark.parametrize(
    "layer, message",
    [
        (lambda: layers.GlobalAveragePooling2D(), "`network` must return one map.*Received"),
        (lambda: layers.Conv2D(1, 1), "at least 2 classes.*Received"),
        (lambda: layers.Reshape((-1, 3)), "`network` must return one map.*Received"),
    ],
)
def test_networks_that_return_no_map_of_scores(layer, message):
    images, labels = scenes()
    model = Segmenter(sampler("uniform"), keras.Sequential([layers.Rescaling(1 / 255), layer()]))
    model.compile("sgd")
    with pytest.raises(ValueError, match=message):
        model.fit(images, labels, verbose=0)


def test_a_saliency_net_with_the_wrong_output():
    images, labels = scenes()
    wrong = SaliencySampler(size=(8, 8), saliency=layers.Conv2D(2, 1), grid_size=(6, 6))
    model = Segmenter(wrong, network())
    model.compile("sgd")
    with pytest.raises(ValueError, match="`saliency`.*one channel.*Received"):
        model.fit(images, labels, verbose=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sampler": layers.Rescaling(1.0)}, "`sampler` must be a GridSampler.*Received"),
        ({"network": np.mean}, "`network` must be a keras.Model or layer.*Received"),
        ({"edge_weight": -1}, r"`edge_weight` must be a number in \[0, inf\) or None.*Received"),
        ({"edge_weight": "100"}, "`edge_weight`.*Received"),
        ({"edge_weight": 5.0}, "`edge_weight` needs a sampler with a saliency map.*Received"),
        ({"ignore_class": 255.0}, "`ignore_class` must be an integer.*Received"),
        ({"ignore_class": True}, "`ignore_class` must be an integer.*Received"),
        ({"edge_sigma": -1}, r"`edge_sigma` must be .*Received: edge_sigma=-1$"),
        ({"edge_sigma": "a"}, r"`edge_sigma` must be .*Received: edge_sigma='a'$"),
        ({"restore_interpolation": "cubic"}, "`restore_interpolation` must be one of.*Received"),
        ({"from_logits": None}, "`from_logits` must be True or False.*Received"),
        ({"binary_edges": 1}, "`binary_edges` must be True or False.*Received"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Segmenter(**{"sampler": GridSampler(0.5), "network": network(), **arguments})


def test_one_image_without_a_batch_axis():
    images, labels = scenes(2)
    model = segmenter("uniform")
    for attempt in (
        lambda: model(images[0]),
        lambda: model.predict(images[0], verbose=0),
        lambda: model.predict_classes(images[0]),
        lambda: model.fit(images[0], labels[0], verbose=0),
    ):
        with pytest.raises(ValueError, match=r"`images` must be a batch.*image\[None\].*Received"):
            attempt()
    model.build((None, 16, 16, 3))
    with pytest.raises(ValueError, match=r"image\[None\].*Received"):
        model(images[0])


@pytest.mark.parametrize("kind", ["uniform", "saliency", "resizer"])
@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_summary_before_fit_has_all_parameters(kind):
    model = segmenter(kind)
    lines = []
    model.summary(print_fn=lines.append)
    assert "unbuilt" not in "".join(lines)
    expected = segmenter(kind)
    expected.build((None, 16, 16, 3))
    assert model.count_params() == expected.count_params() > 0
    expected.set_weights([weight + 0.1 for weight in expected.get_weights()])
    model.set_weights(expected.get_weights())
    images, _ = scenes(2)
    np.testing.assert_allclose(to_numpy(model(images)), to_numpy(expected(images)), atol=1e-5)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_summary_of_unknown_sizes_says_what_is_missing():
    model = Segmenter(UniformDownsample(0.5), network())
    with pytest.warns(UserWarning, match=r"unbuilt.*build\(\(None, height.*Received"):
        model.summary(print_fn=lambda line: None)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_summary_leaves_a_learned_flow_its_unit():
    model = segmenter("flow")
    with pytest.warns(UserWarning, match=r"unbuilt.*build\(\(None, height.*Received"):
        model.summary(print_fn=lambda line: None)
    images, labels = scenes(2)
    model.train_on_batch(images, labels)
    assert model.sampler.flow.shape == (8, 8, 2)


def ending_in(*last):
    return keras.Sequential([layers.Conv2D(CLASSES, 1), *last])


@pytest.mark.parametrize(
    "net",
    [
        lambda: network(activation="softmax"),
        lambda: layers.Conv2D(CLASSES, 1, activation="sigmoid"),
        lambda: ending_in(layers.Softmax()),
        lambda: ending_in(layers.Activation("softmax"), layers.UpSampling2D(2)),
        lambda: ending_in(ending_in(layers.Softmax()), layers.Activation("linear")),
    ],
)
@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_network_that_returns_probabilities_is_told(net):
    net = net()
    with pytest.raises(ValueError, match="`from_logits` must be False.*softmax.*Received"):
        Segmenter(sampler("uniform"), net)
    Segmenter(sampler("uniform"), net, from_logits=False)


@pytest.mark.parametrize(
    "net", [network, lambda: ending_in(), lambda: ending_in(layers.Activation("linear"))]
)
@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_network_that_returns_logits_is_told(net):
    net = net()
    with pytest.raises(ValueError, match="`from_logits` must be True.*without.*Received"):
        Segmenter(sampler("uniform"), net, from_logits=False)
    Segmenter(sampler("uniform"), net)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_metric_sees_what_the_loss_sees():
    of_probabilities = keras.metrics.SparseCategoricalCrossentropy()
    with pytest.raises(ValueError, match="`metrics` must have from_logits=True.*Received"):
        segmenter("uniform", compile_arguments={"metrics": [of_probabilities]})
    loss = keras.losses.SparseCategoricalCrossentropy()
    segmenter("uniform", compile_arguments={"loss": loss, "metrics": [of_probabilities]})


@pytest.mark.parametrize("weights", [{"1": 10.0}, {7: 2.0}, {1: -1.0}, {1: np.nan}])
def test_class_weights_of_no_class(weights):
    images, labels = scenes(2)
    model = segmenter("uniform")
    for fit in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="`class_weight` must.*Received: class_weight="):
            fit(images, labels, class_weight=weights)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_dataset_of_more_classes_than_the_network():
    scenes = kr.datasets.generated_scenes(2, size=(64, 64))
    with pytest.raises(ValueError, match="num_classes=8.*Received: num_classes=3"):
        segmenter("uniform").fit(scenes, verbose=0)


def test_weights_of_another_shape():
    images, labels = scenes()
    with pytest.raises(ValueError, match=r"`sample_weight` must have shape \(b,\).*Received"):
        segmenter("uniform").train_on_batch(images, labels, sample_weight=np.ones((8, 2)))


def test_class_ious_before_anything_is_evaluated():
    with pytest.raises(ValueError, match="class_ious.*Received"):
        segmenter("uniform").class_ious()


def test_a_report_needs_a_segmenter_labels_and_images():
    images, labels = scenes(2)
    with pytest.raises(ValueError, match="`segmenter`.*Received"):
        segmentation_report(network(), images, labels)
    with pytest.raises(ValueError, match="`labels` are needed.*Received"):
        segmentation_report(segmenter("uniform"), images)
    with pytest.raises(ValueError, match="`images` must hold.*Received"):
        segmentation_report(segmenter("uniform"), [])
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer.*Received"):
        segmentation_report(segmenter("uniform"), images, labels, batch_size=0)
