"""Numbers of segmentation against loops over pixels."""

import keras
import numpy as np
import pytest

from keras_resample.metrics import (
    SegmentationScores,
    class_frequency_change,
    class_ious,
    confusion_matrix,
    mean_iou,
    trimap_accuracy,
    upsampling_iou,
)
from keras_resample.metrics.segmentation.class_map_iou import ClassMapIoU, mean_iou_metric
from keras_resample.ops import uniform_grid
from tests.numerics import to_numpy

CLASSES, VOID = 4, 255


def maps(n=3, size=(13, 17), seed=0, void=True):
    """Label maps of patches and dots, and predictions that are often right."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, (n, 4, 6)).repeat(4, 1).repeat(3, 2)
    labels = labels[:, : size[0], : size[1]].astype("uint8")
    labels[rng.random(labels.shape) < 0.05] = 1
    predictions = np.where(rng.random(labels.shape) < 0.7, labels, np.roll(labels, 1, 2))
    if void:
        labels[rng.random(labels.shape) < 0.1] = VOID
    return labels, predictions.astype("int32")


def counted(labels, predictions):
    """Confusion matrix, a pixel at a time."""
    matrix = np.zeros((CLASSES, CLASSES), int)
    for label, prediction in zip(labels.ravel(), predictions.ravel(), strict=True):
        if label != VOID:
            matrix[label, prediction] += 1
    return matrix


def band(label, width):
    """Pixels less than `width` from one with a neighbour of another class, by all pairs."""
    height, length = label.shape
    borders = []
    for i in range(height):
        for j in range(length):
            around = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
            inside = [label[p] for p in around if 0 <= p[0] < height and 0 <= p[1] < length]
            if label[i, j] != VOID and any(k not in (VOID, label[i, j]) for k in inside):
                borders.append((i, j))
    result = np.zeros(label.shape, bool)
    for i, j in np.ndindex(*label.shape):
        near = any((i - k) ** 2 + (j - m) ** 2 < width**2 for k, m in borders)
        result[i, j] = near and label[i, j] != VOID
    return result


def test_iou_is_counted_pixel_by_pixel():
    labels, predictions = maps()
    matrix = confusion_matrix(labels, predictions, CLASSES, VOID)
    np.testing.assert_array_equal(matrix, counted(labels, predictions))
    for k, iou in enumerate(class_ious(matrix)):
        of_label, of_prediction = labels == k, (predictions == k) & (labels != VOID)
        np.testing.assert_allclose(
            iou, np.sum(of_label & of_prediction) / np.sum(of_label | of_prediction)
        )
    np.testing.assert_allclose(mean_iou(matrix), np.mean(class_ious(matrix)))


@pytest.mark.every_backend
@pytest.mark.parametrize("ignore_class", [VOID, 0, None])
def test_iou_is_that_of_the_keras_metric(ignore_class):
    labels, predictions = maps(void=ignore_class == VOID)
    metric = mean_iou_metric("iou", CLASSES, ignore_class)
    metric.update_state(labels.astype("int32"), predictions)
    matrix = confusion_matrix(labels, predictions, CLASSES, ignore_class)
    np.testing.assert_array_equal(to_numpy(metric.total_cm), matrix)
    np.testing.assert_allclose(to_numpy(metric.result()), mean_iou(matrix, ignore_class), rtol=1e-6)
    if ignore_class != 0:
        one = keras.metrics.MeanIoU(CLASSES, ignore_class=ignore_class)
        one.update_state(labels.astype("int32"), predictions)
        np.testing.assert_allclose(to_numpy(one.result()), mean_iou(matrix), rtol=1e-6)


@pytest.mark.every_backend
@pytest.mark.parametrize("dtype", [None, "float32"])
@pytest.mark.parametrize("ignore_class", [VOID, 1, None])
@pytest.mark.parametrize("weights", ["none", "number", "maps"])
def test_the_state_is_that_of_keras(dtype, ignore_class, weights):
    labels, predictions = (m[:, :3, :4].astype("int32") for m in maps(2))
    labels[0, 0], predictions[1, 1] = [-1, CLASSES, 99, 2], [-3, CLASSES, 1, 2]  # no classes
    weight = {"none": None, "number": 3, "maps": np.random.default_rng(0).integers(0, 5, (2, 3, 4))}
    states = []
    for kind in (ClassMapIoU, keras.metrics.IoU):
        metric = kind(CLASSES, [0, 2], dtype=dtype, ignore_class=ignore_class)
        for half in (0, 1):
            given = weight[weights]
            given = given[[half]] if weights == "maps" else given
            metric.update_state(labels[[half]], predictions[[half]], given)
        states.append((to_numpy(metric.total_cm), to_numpy(metric.result())))
        assert keras.backend.standardize_dtype(metric.total_cm.dtype) == metric.dtype
    np.testing.assert_array_equal(states[0][0], states[1][0])
    assert states[0][1] == states[1][1]


@pytest.mark.backends("torch", reason="only there the metric of Keras loops over the pixels")
def test_no_more_operations_for_more_pixels():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += 1
            return function(*args, **(kwargs or {}))

    counts = []
    for size in ((2, 3), (13, 17)):
        metric = mean_iou_metric("iou", CLASSES, VOID)
        with Counter() as counter:
            metric.update_state(*(m.astype("int32") for m in maps(size=size)))
        counts.append(counter.count)
    assert 0 < counts[0] == counts[1]


def test_classes_that_occur_nowhere_have_no_iou():
    matrix = confusion_matrix([[[0, 0, 2]]], [[[0, 2, 2]]], CLASSES)
    np.testing.assert_array_equal(np.isnan(class_ious(matrix)), [False, True, False, True])
    assert mean_iou(matrix) == 0.5
    assert np.isnan(mean_iou(np.zeros((2, 2))))


@pytest.mark.every_backend
def test_images_of_any_sizes_from_a_generator_add_up():
    parts = [maps(2, (9, 12), seed=1), maps(1, seed=2)]
    total = sum(confusion_matrix(*part, CLASSES, VOID) for part in parts)
    labels = (label for part in parts for label in part[0])
    predictions = [prediction for part in parts for prediction in part[1]]
    np.testing.assert_array_equal(confusion_matrix(labels, predictions, CLASSES, VOID), total)


def test_trimap_accuracy_is_that_of_bands_by_all_distances():
    labels, predictions = maps()
    widths = [1, 1.5, 2, 3, 7]
    found = trimap_accuracy(labels, predictions, widths, VOID)
    for width, accuracy in zip(widths, found, strict=True):
        bands = np.stack([band(label, width) for label in labels])
        np.testing.assert_allclose(accuracy, np.mean((labels == predictions)[bands]))


def test_trimap_of_a_flip_or_a_transpose_is_the_same():
    labels, predictions = maps(size=(12, 18))
    expected = trimap_accuracy(labels, predictions, [1, 2, 4], VOID)
    for move in (lambda x: x[:, ::-1], lambda x: x[..., ::-1], lambda x: x.transpose(0, 2, 1)):
        found = trimap_accuracy(move(labels), move(predictions), [1, 2, 4], VOID)
        np.testing.assert_allclose(found, expected)


def test_trimap_of_a_wide_band_is_the_accuracy_and_of_no_border_nothing():
    labels, predictions = maps(void=False)
    found = trimap_accuracy(labels, predictions, [100])
    np.testing.assert_allclose(found, [np.mean(labels == predictions)])
    assert np.isnan(trimap_accuracy(np.zeros((1, 5, 5), int), np.ones((1, 5, 5), int), [1])).all()


def test_rows_at_a_time_change_nothing(monkeypatch):
    labels, predictions = maps()
    expected = trimap_accuracy(labels, predictions, [1, 3], VOID)
    monkeypatch.setattr("keras_resample.metrics.segmentation.trimap.ROWS", 5)
    np.testing.assert_array_equal(trimap_accuracy(labels, predictions, [1, 3], VOID), expected)


def test_class_frequency_change_is_the_ratio_of_shares():
    labels, _ = maps()
    sampled = labels[:, 2:9:2, 3:12]
    found = class_frequency_change(labels, sampled, CLASSES + 1, VOID)
    for k in range(CLASSES):
        share = np.mean(labels[labels != VOID] == k)
        np.testing.assert_allclose(found[k], np.mean(sampled[sampled != VOID] == k) / share - 1)
    assert np.isnan(found[CLASSES])
    assert not class_frequency_change(labels, labels, CLASSES, VOID).any()


def nearest_restored(labels, size):
    """Labels sampled uniformly at `size` and restored, by the nearest centre, in loops."""
    height, width = labels.shape[1:]
    result = np.zeros_like(labels)
    for i, j in np.ndindex(height, width):
        row = min(range(size[0]), key=lambda k: abs((k + 0.5) * height / size[0] - i - 0.5))
        column = min(range(size[1]), key=lambda k: abs((k + 0.5) * width / size[1] - j - 0.5))
        from_row = int((row + 0.5) * height / size[0])
        from_column = int((column + 0.5) * width / size[1])
        result[:, i, j] = labels[:, from_row, from_column]
    return result


def test_upsampling_iou_of_a_uniform_grid():
    labels, _ = maps(size=(15, 15))
    restored = nearest_restored(labels, (5, 5))
    left = np.where(restored == VOID, VOID, labels)
    expected = mean_iou(
        confusion_matrix(left, np.where(restored == VOID, 0, restored), CLASSES, VOID)
    )
    found = upsampling_iou(labels, uniform_grid((5, 5)), CLASSES, VOID)
    np.testing.assert_allclose(found, expected)
    assert 0 < found < 1
    np.testing.assert_allclose(upsampling_iou(labels, uniform_grid((15, 15)), CLASSES, VOID), 1)


def test_scores_accumulate_what_the_functions_give():
    labels, predictions = maps(4)
    restored = nearest_restored(labels, (6, 6))
    scores = SegmentationScores(CLASSES, VOID, trimap_widths=[1, 3])
    assert scores.result() == {}
    for part in (slice(0, 1), slice(1, 4)):
        scores.update(labels[part], predictions[part], labels[part, ::2], restored[part])
    result = scores.result()
    matrix = counted(labels, predictions)
    np.testing.assert_allclose(result["mean_iou"], mean_iou(matrix))
    np.testing.assert_allclose(result["class_ious"], class_ious(matrix))
    np.testing.assert_allclose(
        result["trimap_accuracy"], trimap_accuracy(labels, predictions, [1, 3], VOID)
    )
    np.testing.assert_allclose(
        result["class_frequency_change"],
        class_frequency_change(labels, labels[:, ::2], CLASSES, VOID),
    )
    np.testing.assert_allclose(np.mean(result["class_upsampling_ious"]), result["upsampling_iou"])
    scores.update(labels, sampled_labels=labels, sampled_predictions=predictions)
    np.testing.assert_allclose(scores.result()["sampled_mean_iou"], mean_iou(matrix))
    np.testing.assert_allclose(scores.result()["class_sampled_ious"], class_ious(matrix))
    scores.reset()
    scores.update(labels, restored_labels=labels)
    assert scores.result()["upsampling_iou"] == 1 and "mean_iou" not in scores.result()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: confusion_matrix([[[4]]], [[[0]]], 4), r"`labels` must be in.*class ids \[4\]"),
        (lambda: confusion_matrix([[[0]]], [[[255]]], 4, 255), r"`predictions`.*\[255\]"),
        (lambda: confusion_matrix([[[0]]], [[[0, 1]]], 4), "`predictions` must be of the size"),
        (lambda: confusion_matrix([[[0.5]]], [[[0]]], 4), "integers.*Received.*float64"),
        (lambda: confusion_matrix([[0, 1]], [[0, 1]], 4), r"\(H, W\).*Received"),
        (lambda: confusion_matrix([[[0]]], [[[0]]], 0), "`num_classes`.*Received"),
        (lambda: confusion_matrix([[[0]]], [[[0]]], 2.0), "`num_classes`.*Received"),
        (lambda: confusion_matrix(3, [[[0]]], 2), "`labels`.*Received"),
        (lambda: class_ious([1, 2]), "`confusion`.*Received"),
        (lambda: trimap_accuracy([[[0]]], [[[0]]], [0]), r"`widths`.*in \(0, inf\).*Received"),
        (lambda: trimap_accuracy([[[0]]], [[[0]]], 3), "`widths`.*Received"),
        (lambda: upsampling_iou(np.eye(4, dtype=int), None, 2), "`labels`.*Received"),
        (lambda: upsampling_iou(np.zeros((1, 4, 4)), None, 2), "`labels`.*Received.*float64"),
        (lambda: class_frequency_change([[[9]]], [[[0]]], 4), r"class ids \[9\]"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_another_number_of_predictions_raises():
    labels, predictions = maps()
    with pytest.raises(ValueError):
        confusion_matrix(labels, predictions[:2], CLASSES, VOID)
