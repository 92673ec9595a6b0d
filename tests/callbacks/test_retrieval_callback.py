"""Retrieval during fit: the numbers of the metrics, who is compared, and the best model."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.callbacks import RetrievalCallback
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP, step_by_step

CLASSES = 4
NAMES = ["retrieval_map", "retrieval_rank_1", "retrieval_minp"]
NUMPY = pytest.mark.backends("torch", reason="what is looked at before any model is plain Python")


def data(n=24, seed=0):
    """Images of four classes that are alike, and their labels."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % CLASSES).astype("int32")
    images = rng.uniform(0, 0.8, (n, 6, 6, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[label] += 0.3
    return images / 1.1, labels


def cameras(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, n)


def recognizer(rate=0.01):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(8)]
    encoder = step_by_step(keras.Sequential(layers))
    model = kr.models.Recognizer(encoder, kr.heads.ArcFace(CLASSES, margin=0.2, scale=8.0))
    model.compile(keras.optimizers.Adam(rate), **STEP_BY_STEP)
    model.encoder.run_eagerly = model.run_eagerly
    return model


def fit(model, *callbacks, epochs=1, **arguments):
    images, labels = data()
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0, **arguments}
    return model.fit(images, labels, epochs=epochs, callbacks=list(callbacks), **arguments).history


def numbers(scores, *labels, ranks=(1,)):
    """The numbers of the metrics; the second half of the labels are cameras."""
    found = kr.metrics.cmc(scores, *labels[:2], ranks, *labels[2:])
    mean_ap = kr.metrics.mean_average_precision(scores, *labels)
    return [mean_ap, *found, kr.metrics.mean_inverse_penalty(scores, *labels)]


@pytest.mark.parametrize("with_cameras", [False, True])
def test_numbers_are_those_of_the_metrics(with_cameras):
    (query, ql), (gallery, gl) = data(9, seed=1), data(20, seed=2)
    of_cameras = (cameras(9, 3), cameras(20, 4)) if with_cameras else ()
    model = recognizer()
    callback = RetrievalCallback(
        (query, ql, *of_cameras[:1]), (gallery, gl, *of_cameras[1:]), ranks=(1, 5), batch_size=6
    )
    history = fit(model, callback, epochs=2)
    scores = model.embed(query) @ model.embed(gallery).T
    expected = numbers(scores, ql, gl, *of_cameras, ranks=(1, 5))
    assert list(history) == ["loss", *NAMES[:2], "retrieval_rank_5", NAMES[2]]
    assert all(len(values) == 2 for values in history.values())
    found = [history[name][-1] for name in list(history)[1:]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert list(callback.numbers.values()) == found and callback.best == max(history[NAMES[0]])


def test_without_a_gallery_each_image_is_looked_for_among_the_others():
    images, labels = data(16, seed=3)
    model = recognizer()
    history = fit(model, RetrievalCallback((images, labels), flip=True, name="val"))
    embeddings = model.embed(images, flip=True)
    matrix = embeddings @ embeddings.T
    # Without itself, in a plain loop.
    scores = np.array([np.delete(row, i) for i, row in enumerate(matrix)])
    others = np.array([np.delete(labels, i) for i in range(16)])
    each = [numbers(scores[i : i + 1], labels[i : i + 1], others[i]) for i in range(16)]
    found = [history[name.replace("retrieval", "val")][0] for name in NAMES]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)


def test_with_cameras_and_no_gallery_the_others_are_those_of_other_cameras():
    images, labels = data(16, seed=3)
    of_image = cameras(16)
    model = recognizer()
    history = fit(model, RetrievalCallback((images, labels, of_image)))
    embeddings = model.embed(images)
    expected = numbers(embeddings @ embeddings.T, labels, labels, of_image, of_image)
    np.testing.assert_allclose([history[name][0] for name in NAMES], expected, atol=1e-6)


def test_identities_of_datasets_are_compared_not_their_numbers():
    (query, ql), (gallery, gl) = data(8, seed=1), data(20, seed=2)
    names = ["a", "b", "c", "d"]
    seen = kr.datasets.from_arrays(query, [names[i] for i in ql])
    # One more identity, "A", which comes first: all the others have other numbers.
    more = np.concatenate([gallery, gallery[:1, ::-1]])
    everyone = kr.datasets.from_arrays(more, [*(names[i] for i in gl), "A"])
    assert everyone.class_names != seen.class_names and seen.shuffle
    everyone.cameras, seen.cameras = cameras(21, 4), cameras(8, 3)
    model = recognizer()
    history = fit(model, RetrievalCallback(seen, everyone))
    scores = model.embed(query) @ model.embed(more).T
    expected = numbers(scores, ql, np.r_[gl, 9], seen.cameras, everyone.cameras)
    np.testing.assert_allclose([history[name][0] for name in NAMES], expected, atol=1e-6)


def test_best_model_is_kept(tmp_path, monkeypatch):
    values, kernels = iter([0.5, 0.7, 0.6]), []
    model = recognizer(rate=0.05)

    def measured(callback):
        kernels.append(to_numpy(model.head.kernel))
        return {"retrieval_map": next(values), "retrieval_rank_1": 0.0}

    monkeypatch.setattr(RetrievalCallback, "measured", measured)
    path = tmp_path / "best.keras"
    callback = RetrievalCallback(data(8), filepath=path)
    fit(model, callback, epochs=3)
    assert callback.best == 0.7
    copy = keras.saving.load_model(path)
    np.testing.assert_array_equal(to_numpy(copy.head.kernel), kernels[1])


def test_direction_of_the_monitor():
    callback = RetrievalCallback(data(8), name="loss")
    callback.numbers = {"loss_map": 0.5}
    assert callback.mode_of("loss_map") == "max"  # whatever the set is called
    assert callback.mode_of("val_loss") == "auto"  # its name tells
    assert RetrievalCallback(data(8), mode="min").mode_of("retrieval_map") == "min"


@pytest.mark.parametrize("bad", [0, 1])
def test_nan_embeddings_are_nan_in_the_log(bad):
    sets = [data(8, seed=1), data(12, seed=2)]
    sets[bad][0][3] = np.nan
    with pytest.warns(UserWarning, match="1 of its .* embeddings are not finite, the first in row"):
        history = fit(recognizer(), RetrievalCallback(*sets), epochs=2)
    assert len(history["loss"]) == 2
    assert np.isnan([history[name] for name in NAMES]).all()


def test_a_training_that_diverged_is_stopped_in_order(tmp_path):
    model = recognizer()
    images, labels = data()
    images[10] = np.nan
    callback = RetrievalCallback(data(8), filepath=tmp_path / "best.keras")
    with pytest.warns(UserWarning, match="numbers of 'query' are NaN: 8 of its 8"):
        history = model.fit(
            images, labels, 8, epochs=3, shuffle=False, verbose=0, callbacks=[callback]
        ).history
    assert model.stop_training and not list(tmp_path.iterdir())
    assert [len(history[name]) for name in NAMES] == [1, 1, 1]


def test_every_few_batches():
    history = fit(recognizer(), RetrievalCallback(data(8), every=2, unit="batch"), epochs=2)
    assert len(history["retrieval_map"]) == 2


@pytest.mark.parametrize("verbose", [0, 1])
def test_progress(verbose, capsys):
    fit(recognizer(), RetrievalCallback(data(8), data(12)), verbose=verbose)
    shown = capsys.readouterr().out
    assert ("Retrieval of 'gallery'" in shown) == ("Retrieval of 'query'" in shown) == bool(verbose)


IMAGES, LABELS = data(8)


@NUMPY
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"query": IMAGES}, "query"),
        ({"query": (IMAGES,)}, "query"),
        ({"query": (None, LABELS)}, "query"),
        ({"query": ((x for x in IMAGES), LABELS)}, "query"),
        ({"query": (IMAGES, LABELS[1:])}, "query"),
        ({"query": (IMAGES, LABELS[:, None])}, "query"),
        ({"query": (IMAGES, LABELS, LABELS[1:])}, "query"),
        ({"query": (IMAGES, np.arange(8))}, "query"),  # nobody twice
        ({"query": (IMAGES, LABELS, np.zeros(8))}, "query"),  # under one camera
        ({"gallery": (IMAGES, LABELS + 100)}, "gallery"),
        ({"gallery": (IMAGES, LABELS, LABELS)}, "gallery"),  # the query has no cameras
        ({"gallery": "gallery"}, "gallery"),
        ({"ranks": 0}, "ranks"),
        ({"ranks": (1, 2.5)}, "ranks"),
        ({"mode": "higher"}, "mode"),
        ({"every": 0}, "every"),
        ({"filepath": "best.h5"}, "filepath"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        RetrievalCallback(**{"query": (IMAGES, LABELS), **arguments})


@NUMPY
def test_shuffled_images_are_refused():
    dataset = kr.datasets.from_arrays(IMAGES, LABELS)
    with pytest.raises(ValueError, match="`gallery` must not be shuffled"):
        RetrievalCallback(dataset, (dataset, LABELS))


@NUMPY
def test_a_monitor_that_is_not_measured_is_named():
    with pytest.raises(ValueError, match="`monitor`.*Received"):
        fit(recognizer(), RetrievalCallback((IMAGES, LABELS), monitor="retrieval_mAP"))
