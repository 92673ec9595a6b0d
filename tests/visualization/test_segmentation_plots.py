"""The pictures of segmentation show the numbers they are made of."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import to_numpy

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from keras_resample.visualization import segmentation_canvas  # noqa: E402

RANDOM = np.random.default_rng(0)
LAST = {"data_format": "channels_last"}
COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def image(size=(24, 32)):
    return RANDOM.integers(0, 256, (*size, 3), dtype="uint8")


def drawn(figure):
    """RGB pixels of the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def shown(ax):
    """The picture of one panel, 0..255."""
    return np.rint(np.asarray(ax.images[0].get_array(), "float64") * 255).astype(int)


class ImageGrid(kr.layers.GridSampler):
    """Samples about the mean of the image, over 255: so the values it sees can be read back."""

    def grid(self, images):
        return kr.ops.uniform_grid((2, 2)) * 0.0 + ops.mean(ops.cast(images, "float32")) / 255


class TestPlotSamplingPoints:
    def test_points_are_the_grid(self):
        grid = RANDOM.uniform(size=(1, 5, 7, 2)).astype("float32")
        ax = kr.visualization.plot_sampling_points(grid, image(), **LAST).axes[0]
        points = ax.collections[0].get_offsets()
        np.testing.assert_allclose(points, grid.reshape(-1, 2) * (32, 24), rtol=1e-6)
        assert ax.get_xlim() == (0, 32) and ax.get_ylim() == (24, 0)

    def test_a_layer_sees_the_image_as_it_is_given(self):
        picture = np.full((24, 32, 3), 51, "uint8")
        ax = kr.visualization.plot_sampling_points(ImageGrid(size=(2, 2), **LAST), picture).axes[0]
        np.testing.assert_allclose(ax.collections[0].get_offsets(), [[6.4, 4.8]] * 4, rtol=1e-5)
        assert (shown(ax) == 51).all()

    def test_a_fine_grid_is_thinned_evenly(self):
        grid = to_numpy(kr.ops.uniform_grid((300, 300)))
        ax = kr.visualization.plot_sampling_points(grid, image(), **LAST).axes[0]
        points = np.asarray(ax.collections[0].get_offsets()).reshape(60, 60, 2)
        np.testing.assert_allclose(points[0, 0] / (32, 24), (2.5 / 300, 2.5 / 300), rtol=1e-4)
        np.testing.assert_allclose(points.mean((0, 1)), (16, 12), rtol=1e-5)
        ax = kr.visualization.plot_sampling_points(grid, image(), step=100, **LAST).axes[0]
        assert len(ax.collections[0].get_offsets()) == 9

    def test_channels_first_and_given_axes(self):
        figure = Figure()
        axes = figure.subplots(1, 2)
        layer = kr.layers.UniformDownsample(0.5, data_format="channels_first")
        picture = np.moveaxis(image(), -1, 0)
        assert kr.visualization.plot_sampling_points(layer, picture, ax=axes[1]) is figure
        assert not axes[0].images and shown(axes[1]).shape == (24, 32, 3)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"grid_or_layer": np.ones((4, 4))}, "`grid_or_layer`"),
            ({"image": None}, "`image`"),
            ({"image": np.ones((4, 4, 2))}, "`image`"),
            ({"step": 0}, "`step`"),
            ({"step": 1.5}, "`step`"),
            ({"ax": "axes"}, "`ax`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"grid_or_layer": np.ones((2, 2, 2)), "image": image(), **LAST, **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_sampling_points(**arguments)


class TestPlotSaliency:
    def sampler(self):
        return kr.layers.SaliencySampler(size=(6, 8), grid_size=(5, 9), **LAST)

    def test_cells_are_over_their_mean(self):
        saliency = RANDOM.uniform(size=(1, 5, 9))
        ax = kr.visualization.plot_saliency(saliency).axes[0]
        cells = ax.images[0].get_array()
        np.testing.assert_allclose(cells, saliency[0] / saliency.mean(), rtol=1e-6)
        np.testing.assert_allclose(np.mean(cells), 1.0, rtol=1e-6)

    def test_a_uniform_map_is_one_and_zeros_stay(self):
        figure = kr.visualization.plot_saliency(np.full((4, 4), 1 / 16))
        assert (figure.axes[0].images[0].get_array() == 1).all()
        assert figure.axes[1].get_ylabel() == "saliency / mean"
        cells = kr.visualization.plot_saliency(np.zeros((4, 4))).axes[0].images[0].get_array()
        assert (cells == 0).all()

    def test_the_map_lies_over_the_whole_image(self):
        ax = kr.visualization.plot_saliency(RANDOM.uniform(size=(5, 9)), image(), **LAST).axes[0]
        assert len(ax.images) == 2
        assert all(tuple(each.get_extent()) == (0, 32, 24, 0) for each in ax.images)

    @pytest.mark.every_backend
    def test_a_sampler_draws_its_map_and_points(self):
        sampler, picture = self.sampler(), image()
        ax = kr.visualization.plot_saliency(sampler, picture, points=True).axes[0]
        saliency = to_numpy(sampler.saliency_map(ops.convert_to_tensor(picture[None])))[0]
        np.testing.assert_allclose(
            ax.images[1].get_array(), saliency / saliency.mean(), rtol=1e-4, atol=1e-6
        )
        grid = to_numpy(sampler.grid(ops.convert_to_tensor(picture[None])))[0]
        points = ax.collections[0].get_offsets()
        np.testing.assert_allclose(points, grid.reshape(-1, 2) * (32, 24), rtol=1e-4)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"saliency": np.ones(4)}, "`saliency`"),
            ({"saliency": -np.ones((4, 4))}, "`saliency`"),
            ({"saliency": np.full((4, 4), np.nan)}, "`saliency`"),
            ({"saliency": np.ones((2, 4, 4))}, "`saliency`"),
            ({"alpha": 1.5}, "`alpha`"),
            ({"points": True}, "`points` needs a layer"),
            ({"points": 1}, "`points` must be True or False"),
            ({"image": np.ones((4, 4, 2))}, "`image`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"saliency": np.ones((4, 4)), **LAST, **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_saliency(**arguments)

    def test_a_sampler_needs_an_image(self):
        with pytest.raises(ValueError, match="`image`.*Received: image=None"):
            kr.visualization.plot_saliency(self.sampler())


def steps(size=(24, 32), sampled=(6, 8), num_classes=3, first=False):
    """What `inspect` returns, and the classes it means."""
    label = RANDOM.integers(0, num_classes, size)
    small = RANDOM.integers(0, num_classes, sampled)
    full = np.eye(num_classes, dtype="float32")[label][None]
    pixels = RANDOM.uniform(0, 255, (1, *sampled, 3)).astype("float32")
    return (
        {
            "grid": to_numpy(kr.ops.uniform_grid(sampled)),
            "sampled_images": np.moveaxis(pixels, -1, 1) if first else pixels,
            "sampled_probabilities": np.eye(num_classes, dtype="float32")[small][None],
            "probabilities": np.moveaxis(full, -1, 1) if first else full,
        },
        label,
        small,
    )


def plot(methods, picture, **kwargs):
    return kr.visualization.plot_segmentation(
        methods, picture, **{"class_colors": COLORS, **LAST, **kwargs}
    )


class TestPlotSegmentation:
    def test_panels_show_their_numbers(self):
        found, classes, small = steps()
        label = classes.copy()
        label[:6] = (label[:6] + 1) % 3
        label[0] = 255
        picture = image()
        figure = plot({"a": found}, picture, label=label, ignore_class=255)
        axes = np.array(figure.axes).reshape(2, 5)
        colors = np.array([*COLORS, segmentation_canvas.IGNORED_COLOR])
        assert (shown(axes[0, 0]) == picture).all()
        assert (shown(axes[0, 3]) == colors[np.minimum(label, 3)]).all()
        assert (shown(axes[1, 0]) == picture).all()
        np.testing.assert_allclose(shown(axes[1, 1]), found["sampled_images"][0], atol=0.51)
        assert (shown(axes[1, 2]) == colors[small]).all()
        assert (shown(axes[1, 3]) == colors[classes]).all()
        wrong = (shown(axes[1, 4]) == segmentation_canvas.WRONG_COLOR).all(-1)
        ignored = (shown(axes[1, 4]) == segmentation_canvas.IGNORED_COLOR).all(-1)
        np.testing.assert_array_equal(wrong, (classes != label) & (label != 255))
        np.testing.assert_array_equal(ignored, label == 255)
        assert axes[1, 4].get_xlabel() == f"{100 * 5 / 23:.1f} % of the pixels"
        assert axes[1, 0].get_ylabel() == "a\n6 \N{MULTIPLICATION SIGN} 8"
        points = axes[1, 0].collections[0].get_offsets()
        np.testing.assert_allclose(points, found["grid"].reshape(-1, 2) * (32, 24), rtol=1e-6)
        assert [axes[0, i].get_visible() for i in range(5)] == [True, False, False, True, False]

    def test_every_panel_has_the_extent_of_the_image(self):
        figure = plot({"a": steps()[0], "b": steps(sampled=(3, 5))[0]}, image())
        assert len(figure.axes) == 8
        for ax in figure.axes:
            assert tuple(ax.images[0].get_extent()) == (0, 32, 24, 0)
            assert ax.get_xlim() == (0, 32) and ax.get_ylim() == (24, 0)

    def test_the_legend_names_the_classes(self):
        figure = plot({"a": steps()[0]}, image(), class_names=["x", "y", "z"])
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["x", "y", "z"]
        faces = [patch.get_facecolor()[:3] for patch in legend.get_patches()]
        np.testing.assert_allclose(faces, np.array(COLORS) / 255)

    def test_a_dataset_gives_the_look(self):
        scenes = kr.datasets.generated_scenes(1, size=(24, 32), **LAST)
        picture, label = scenes.read(0)
        found = steps(num_classes=8)[0]
        figure = kr.visualization.plot_segmentation(
            {"a": found}, picture, label, dataset=scenes, **LAST
        )
        assert (shown(figure.axes[3]) == scenes.class_colors[label]).all()
        assert figure.legends[0].get_texts()[7].get_text() == "person"

    def test_classes_stand_for_probabilities(self):
        found, classes, small = steps()
        same = {**found, "probabilities": classes[None], "sampled_probabilities": small[None]}
        picture = image()
        one, two = (drawn(plot({"a": each}, picture)) for each in (found, same))
        np.testing.assert_array_equal(one, two)

    def test_channels_first(self):
        found, classes, _ = steps(first=True)
        picture = image()
        figure = plot(
            {"a": found}, np.moveaxis(picture, -1, 0), label=classes, data_format="channels_first"
        )
        assert (shown(figure.axes[0]) == picture).all()
        assert (shown(figure.axes[8]) == np.array(COLORS)[classes]).all()
        assert figure.axes[9].get_xlabel() == "0.0 % of the pixels"

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_the_format_is_that_of_the_segmenter(self, data_format):
        first = data_format == "channels_first"
        keras.config.set_image_data_format("channels_last" if first else "channels_first")
        inputs = keras.Input((3, 16, 16) if first else (16, 16, 3))
        sampler = kr.layers.UniformDownsample(size=(16, 16), data_format=data_format)
        segmenter = kr.models.Segmenter(sampler, keras.Model(inputs, inputs / 255))
        picture = image((48, 64))
        given = np.moveaxis(picture, -1, 0) if first else picture
        figure = kr.visualization.plot_segmentation({"a": segmenter}, given, class_colors=COLORS)
        assert (shown(figure.axes[0]) == picture).all()

    @pytest.mark.every_backend
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_a_segmenter(self, data_format):
        keras.config.set_image_data_format(data_format)
        inputs = keras.Input((16, 16, 3) if data_format == "channels_last" else (3, 16, 16))
        scores = keras.layers.Conv2D(3, 1)(keras.layers.Rescaling(1 / 255)(inputs))
        sampler = kr.layers.UniformDownsample(size=(16, 16))
        segmenter = kr.models.Segmenter(sampler, keras.Model(inputs, scores))
        picture = image((48, 64))
        given = picture if data_format == "channels_last" else np.moveaxis(picture, -1, 0)
        figure = kr.visualization.plot_segmentation(
            {"uniform": segmenter}, given, class_colors=COLORS
        )
        axis = -1 if data_format == "channels_last" else 0
        classes = to_numpy(segmenter.predict(given[None], verbose=0))[0].argmax(axis)
        assert (shown(figure.axes[3]) == np.array(COLORS)[classes]).all()
        sampled = to_numpy(sampler(given[None].astype("float32")))[0]
        sampled = sampled if data_format == "channels_last" else np.moveaxis(sampled, 0, -1)
        np.testing.assert_allclose(shown(figure.axes[1]), sampled, atol=0.51)

    def test_a_large_image_is_thinned(self):
        found, classes, _ = steps(size=(1300, 20))
        figure = plot({"a": found}, image((1300, 20)), label=classes)
        panel = shown(figure.axes[8])
        assert panel.shape[0] == 433
        np.testing.assert_array_equal(panel, np.array(COLORS)[classes][1::3, 1::3])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"methods": {}}, "`methods`"),
            ({"methods": [1]}, "`methods`"),
            ({"methods": {"a": 3}}, "`methods`.*sampled_images"),
            ({"methods": {"a": {"grid": 1}}}, "`methods`.*sampled_images"),
            ({"methods": {"a": steps(size=(9, 9))[0]}}, r"`methods`.*\(24, 32\)"),
            ({"label": np.zeros((9, 9), int)}, r"`label`.*\(24, 32\)"),
            ({"label": np.zeros((24, 32))}, "`label`"),
            ({"image": np.ones((4, 4, 2))}, "`image`"),
            ({"points": None}, "`points`"),
            ({"class_names": ["a"]}, "`class_names`"),
            ({"class_colors": [(0, 0, 0)]}, "`class_colors`"),
            ({"data_format": "HWC"}, "`data_format`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"methods": {"a": steps()[0]}, "image": image(), **LAST, **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_segmentation(**arguments)

    def test_probabilities_of_a_batch_are_refused(self):
        found = steps()[0]
        found["probabilities"] = np.repeat(found["probabilities"], 2, 0)
        with pytest.raises(ValueError, match=r"`methods`.*Received: float32 of shape \(2, "):
            plot({"a": found}, image())


class TestPlotCostCurve:
    def test_lines_are_sorted_by_cost(self):
        figure = kr.visualization.plot_cost_curve(
            {"a": [4, 1, 2], "b": [1, 8]}, {"a": [0.3, 0.1, np.nan], "b": [0.2, 0.5]}
        )
        first, second = figure.axes[0].lines
        assert np.array(first.get_data()).tolist() == [[1, 4], [0.1, 0.3]]
        assert np.array(second.get_data()).tolist() == [[1, 8], [0.2, 0.5]]
        assert figure.axes[0].get_xscale() == "log"
        texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert texts == ["a", "b"]

    def test_costs_of_all_methods_are_ticks(self):
        figure = kr.visualization.plot_cost_curve(
            [1.25, 5, 20], {"a": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.4]}, full_resolution=0.6
        )
        ax = figure.axes[0]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["1.25", "5", "20"]
        assert len(ax.lines) == 3 and set(ax.lines[2].get_ydata()) == {0.6}
        linear = kr.visualization.plot_cost_curve([1, 2], {"a": [0.1, 0.2]}, "ms", log=False)
        assert linear.axes[0].get_xscale() == "linear" and linear.axes[0].get_xlabel() == "ms"

    def test_methods_are_told_apart_without_colour(self):
        lines = (
            kr.visualization.plot_cost_curve([1, 2], {f"{i}": [0.1, 0.2] for i in range(9)})
            .axes[0]
            .lines
        )
        assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == 9

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"mean_ious": {}}, "`mean_ious`"),
            ({"mean_ious": [0.1]}, "`mean_ious`"),
            ({"mean_ious": {"a": [0.1, 1.2]}}, "`mean_ious`"),
            ({"mean_ious": {"a": [0.1]}}, "`costs` and `mean_ious`"),
            ({"costs": {"b": [1, 2]}}, "`costs`"),
            ({"costs": [0, 1]}, "`costs`"),
            ({"costs": [1, np.inf]}, "`costs`"),
            ({"full_resolution": 60}, "`full_resolution`"),
            ({"log": "x"}, "`log`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"costs": [1, 2], "mean_ious": {"a": [0.1, 0.2]}, **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_cost_curve(**arguments)


class TestPlotClassFrequencyChange:
    def test_bars_are_the_changes(self):
        figure = kr.visualization.plot_class_frequency_change(
            {"a": [0.5, -0.25, np.nan], "b": [0, 1, 2]}, class_names=["x", "y", "z"]
        )
        widths = [bar.get_width() for bar in figure.axes[0].patches]
        np.testing.assert_allclose(widths, [50, -25, 0, 0, 100, 200])
        assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["x", "y", "z"]
        # The first class is on top, and the bars of a class do not overlap.
        bottom, top = figure.axes[0].get_ylim()
        assert top < bottom
        middles = np.array([bar.get_y() for bar in figure.axes[0].patches])
        np.testing.assert_allclose(middles[3:] - middles[:3], 0.4)

    def test_one_method(self):
        figure = kr.visualization.plot_class_frequency_change([0.5, -0.25])
        assert figure.axes[0].get_legend() is None and len(figure.axes[0].patches) == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"changes": {}}, "`changes`"),
            ({"changes": []}, "`changes`"),
            ({"changes": {"a": [1, 2], "b": [1]}}, "`changes`"),
            ({"changes": [-1.5]}, "`changes`"),
            ({"changes": [np.inf]}, "`changes`"),
            ({"changes": [0.5], "class_names": ["a", "b"]}, "`class_names`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_class_frequency_change(**arguments)


def test_pictures_can_be_drawn():
    """Every figure renders, and has something on it."""
    figures = [
        kr.visualization.plot_saliency(np.eye(4), image(), **LAST),
        kr.visualization.plot_sampling_points(np.full((2, 2, 2), 0.5), image(), **LAST),
        plot({"a": steps()[0]}, image(), label=np.zeros((24, 32), int)),
        kr.visualization.plot_cost_curve([1, 2], {"a": [0.1, 0.2]}),
        kr.visualization.plot_class_frequency_change([0.5, -0.25]),
    ]
    for figure in figures:
        assert figure._repr_png_().startswith(b"\x89PNG")
        assert len(np.unique(drawn(figure).reshape(-1, 3), axis=0)) > 10
