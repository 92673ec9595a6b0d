"""The pictures show the numbers they are made of."""

import sys

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import to_numpy

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


def warp(size=(6, 8), image_size=(24, 32), channels=1, data_format="channels_last", pixels=2.0):
    layer = kr.layers.FlowWarpDownsample(size=size, data_format=data_format)
    shape = (*image_size, channels)
    layer.build((None, *(shape if data_format == "channels_last" else (channels, *image_size))))
    flow = np.random.default_rng(0).uniform(-pixels, pixels, (*size, 2))
    layer.set_flow(flow.astype("float32"))
    return layer


def image(size=(24, 32), channels=3, seed=0):
    return np.random.default_rng(seed).uniform(size=(*size, channels)).astype("float32")


def drawn(figure):
    """RGB pixels of the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def lines_of(ax):
    (collection,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    return collection.get_segments()


def test_a_notebook_shows_the_figure():
    figure = kr.visualization.plot_grid(warp())
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_pyplot_is_not_touched():
    """So nothing leaks, nothing needs a display and nothing is shown twice."""
    imported = sys.modules.get("matplotlib.pyplot")  # by another test, which may show figures
    shown = imported and imported.get_fignums()
    kr.visualization.plot_jacobian(warp())
    assert sys.modules.get("matplotlib.pyplot") is imported
    assert not imported or imported.get_fignums() == shown


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "keras_resample.visualization.notebook_figure", raising=False)
    with pytest.raises(ImportError, match=r"keras-resample\[visualization\]"):
        kr.visualization.plot_grid(warp())


class TestPlotGrid:
    @pytest.mark.every_backend
    def test_lines_are_the_rows_and_columns_of_the_grid(self):
        layer = warp()
        ax = kr.visualization.plot_grid(layer, image()).axes[0]
        places = to_numpy(layer.grid(None))[0] * (32, 24)
        lines = lines_of(ax)
        assert len(lines) == 6 + 8
        for i in range(6):
            np.testing.assert_allclose(lines[i], places[i], rtol=1e-6)
        for j in range(8):
            np.testing.assert_allclose(lines[6 + j], places[:, j], rtol=1e-6)
        assert ax.get_xlabel() == "x (pixels)"

    def test_points_are_the_grid(self):
        layer = warp()
        ax = kr.visualization.plot_grid(layer, points=True).axes[0]
        places = to_numpy(layer.grid(None))[0] * (32, 24)
        np.testing.assert_allclose(ax.collections[0].get_offsets(), places.reshape(-1, 2), 1e-6)

    def test_the_y_axis_points_down_and_all_is_in_view(self):
        grid = to_numpy(kr.ops.uniform_grid((4, 4))) * 1.5 - 0.25
        ax = kr.visualization.plot_grid(grid).axes[0]
        left, right = ax.get_xlim()
        bottom, top = ax.get_ylim()
        assert left < -0.06 and right > 1.06 and top < -0.06 and bottom > 1.06
        assert ax.get_xlabel() == "x (relative)"

    def test_a_fine_grid_is_thinned(self):
        lines = lines_of(kr.visualization.plot_grid(kr.ops.uniform_grid((112, 112))).axes[0])
        assert len(lines) == 2 * 28
        assert lines[0][0, 1] == lines[0][1, 1] == pytest.approx(0.5 / 112)
        assert lines[27][0, 1] == pytest.approx(111.5 / 112)
        grid = kr.ops.uniform_grid((112, 112))
        for step in (16, np.int64(16)):
            assert len(lines_of(kr.visualization.plot_grid(grid, step=step).axes[0])) == 14

    def test_the_image_is_below(self):
        picture = np.zeros((24, 32, 3), "uint8")
        picture[..., 2] = 255
        pixels = drawn(kr.visualization.plot_grid(warp(), picture)).reshape(-1, 3)
        assert np.all(pixels == (0, 0, 255), axis=-1).mean() > 0.1

    @pytest.mark.parametrize(
        "shape", [(24, 32), (24, 32, 1), (24, 32, 3), (24, 32, 4), (1, 24, 32, 3)]
    )
    def test_kinds_of_images(self, shape):
        layer = kr.layers.UniformDownsample(0.5, data_format="channels_last")
        assert kr.visualization.plot_grid(layer, np.ones(shape)).axes[0].images

    def test_channels_first(self):
        layer = warp(data_format="channels_first", channels=3)
        figure = kr.visualization.plot_grid(layer, np.ones((3, 24, 32), "float32"))
        assert figure.axes[0].images[0].get_array().shape == (24, 32, 3)

    def test_given_axes(self):
        figure = Figure()
        axes = figure.subplots(1, 2)
        assert kr.visualization.plot_grid(warp(), ax=axes[1]) is figure
        assert not axes[0].collections and axes[1].collections

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"grid_or_layer": np.ones((4, 4))}, "`grid_or_layer`"),
            ({"grid_or_layer": np.ones((2, 4, 4, 2))}, "`grid_or_layer`"),
            ({"grid_or_layer": np.ones((4, 4, 3))}, "`grid_or_layer`"),
            ({"grid_or_layer": keras.layers.Dense(2)}, "`grid_or_layer`"),
            ({"grid_or_layer": kr.layers.UniformDownsample(0.5)}, "`image` is needed"),
            ({"image": np.ones(4)}, "`image`"),
            ({"image": np.ones((4, 4, 2))}, "`image`"),
            ({"image": np.ones((0, 4, 3))}, "`image`"),
            ({"step": 0}, "`step`"),
            ({"step": True}, "`step`"),
            ({"points": "red"}, "`points`"),
            ({"ax": "axes"}, "`ax`"),
            ({"data_format": "HWC", "image": np.ones((4, 4, 3))}, "`data_format`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"grid_or_layer": warp(), **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_grid(**arguments)

    def test_a_predicted_flow_needs_an_image(self):
        inputs = keras.Input((24, 32, 1))
        flow = keras.layers.Conv2D(2, 1, kernel_initializer="ones", data_format="channels_last")(
            inputs
        )
        layer = kr.layers.FlowWarpDownsample(
            0.5, flow=keras.Model(inputs, flow), data_format="channels_last"
        )
        layer.build((None, 24, 32, 1))
        with pytest.raises(ValueError, match="`image` is needed"):
            kr.visualization.plot_grid(layer)
        assert kr.visualization.plot_grid(layer, image(channels=1)).axes


class TestPlotJacobian:
    @pytest.mark.every_backend
    def test_the_colour_is_the_jacobian(self):
        layer = warp(pixels=0.4)
        picture = kr.visualization.plot_jacobian(layer).axes[0].images[0]
        np.testing.assert_allclose(picture.get_array(), to_numpy(layer.jacobian()), rtol=1e-5)

    @pytest.mark.parametrize("pixels", [0.0, 0.4, 40.0])
    def test_one_is_in_the_middle_of_the_colours(self, pixels):
        picture = kr.visualization.plot_jacobian(warp(pixels=pixels)).axes[0].images[0]
        assert picture.norm(1.0) == pytest.approx(0.5)
        assert 1.25 <= picture.norm.vmax <= 10.0

    def test_the_colour_bar_says_what_it_shows(self):
        bar = kr.visualization.plot_jacobian(warp(pixels=0.4)).axes[1]
        assert bar.get_ylabel().startswith("J, area per sample")
        labels = [text.get_text() for text in bar.get_yticklabels()]
        assert "1" in labels and all(len(label) <= 4 for label in labels)

    def test_folds_are_marked_and_counted(self):
        grid = to_numpy(kr.ops.uniform_grid((8, 8))).copy()
        grid[0, 3, 4] = grid[0, 3, 2]  # One sample jumps over its neighbour.
        ax = kr.visualization.plot_jacobian(grid).axes[0]
        corners = to_numpy(kr.ops.corner_jacobians(grid))[0]
        folded = np.argwhere((corners <= 0).any(axis=-1))
        assert len(folded) > 0
        marked = {(round(p.get_y() + 0.5), round(p.get_x() + 0.5)) for p in ax.patches}
        assert marked == {tuple(place) for place in folded}
        assert f"{len(folded)} of 49 cells folded" in ax.get_title()

    def test_a_nan_is_marked(self):
        grid = to_numpy(kr.ops.uniform_grid((8, 8))).copy()
        grid[0, 3, 4] = np.nan
        figure = kr.visualization.plot_jacobian(grid)
        assert "folded" in figure.axes[0].get_title()
        drawn(figure)

    @pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1)])
    def test_thin_grids(self, size):
        figure = kr.visualization.plot_jacobian(kr.ops.uniform_grid(size))
        assert "no folds" in figure.axes[0].get_title()
        drawn(figure)


class TestPlotWarped:
    @pytest.mark.every_backend
    def test_rows_are_the_images_and_the_samples(self):
        layer, images = warp(channels=3), np.stack([image(seed=i) for i in range(3)])
        axes = kr.visualization.plot_warped(layer, images).axes
        assert len(axes) == 6
        outputs = to_numpy(layer(images))
        for i in range(3):
            np.testing.assert_allclose(axes[i].images[0].get_array(), images[i])
            shown = axes[3 + i].images[0].get_array()
            np.testing.assert_allclose(shown, outputs[i], atol=1e-6)
        assert axes[0].get_ylabel() == "24 \u00d7 32" and axes[3].get_ylabel() == "6 \u00d7 8"

    def test_gray_bytes_channels_first(self):
        layer = warp(data_format="channels_first")
        images = np.full((2, 1, 24, 32), 51, "uint8")
        axes = kr.visualization.plot_warped(layer, images, max_images=1).axes
        assert len(axes) == 2
        np.testing.assert_allclose(axes[1].images[0].get_array(), np.full((6, 8), 0.2), rtol=1e-5)

    def test_given_axes(self):
        figure = Figure()
        axes = figure.subplots(2, 2)
        images = np.ones((2, 24, 32, 1), "float32")
        assert kr.visualization.plot_warped(warp(), images, axes=axes) is figure
        with pytest.raises(ValueError, match=r"`axes`.*\(2, 2\).*Received: "):
            kr.visualization.plot_warped(warp(), images, axes=axes[0])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"layer": keras.layers.Dense(2)}, "`layer`"),
            ({"images": np.ones((24, 32, 1))}, "`images`"),
            ({"images": np.ones((0, 24, 32, 1))}, "`images`"),
            ({"max_images": 0}, "`max_images`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"layer": warp(), "images": np.ones((1, 24, 32, 1)), **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_warped(**arguments)


class TestPlotRoc:
    def pairs(self, count=5000, shift=2.0, seed=0):
        random = np.random.default_rng(seed)
        same = random.uniform(size=count) < 0.2
        return random.normal(size=count) + shift * same, same

    def test_curves_are_the_rates(self):
        scores, same = self.pairs(200)
        ax = kr.visualization.plot_roc({"a": (scores, same)}).axes[0]
        assert ax.get_xscale() == "log"
        far, tar = ax.lines[0].get_data()
        for rate, accepted in zip(far, tar, strict=True):
            best = max(
                np.mean(scores[same] >= threshold)
                for threshold in [np.inf, *scores]
                if np.mean(scores[~same] >= threshold) <= rate * (1 + 1e-9)
            )
            assert accepted == pytest.approx(best)

    def test_the_axis_begins_where_the_data_do(self):
        scores, same = self.pairs()
        ax = kr.visualization.plot_roc({"a": (scores, same)}).axes[0]
        assert ax.get_xlim()[0] == pytest.approx(1 / np.sum(~same))
        ax = kr.visualization.plot_roc({"a": (scores, same)}, min_far=1e-2).axes[0]
        assert ax.get_xlim()[0] == pytest.approx(1e-2)

    @pytest.mark.parametrize("min_far", [np.float32(0.01), 0.001])
    def test_the_axis_shows_where_the_curve_begins(self, min_far):
        scores, same = np.r_[np.arange(100), 50.5, 99.5], np.arange(102) >= 100
        ax = kr.visualization.plot_roc({"a": (scores, same)}, min_far=min_far).axes[0]
        assert ax.get_ylim()[0] <= ax.lines[0].get_ydata()[0]

    def test_many_pairs_are_thinned(self):
        scores, same = self.pairs(200_000, shift=0.5)
        line = kr.visualization.plot_roc({"a": (scores, same)}).axes[0].lines[0]
        assert len(line.get_xdata()) <= 2000
        far, tar, _ = kr.metrics.roc(scores, same)
        at = np.searchsorted(far, 0.01 * (1 + 1e-9), side="right") - 1
        drawn_at = np.searchsorted(line.get_xdata(), 0.01, side="right") - 1
        assert line.get_ydata()[drawn_at] == pytest.approx(tar[at], abs=0.005)

    def test_curves_are_told_apart_without_colour(self):
        curves = {f"curve {i}": self.pairs(shift=i, seed=i) for i in range(9)}
        lines = kr.visualization.plot_roc(curves).axes[0].lines
        looks = {(line.get_color(), line.get_linestyle()) for line in lines}
        assert len(looks) == 9
        assert len({line.get_linestyle() for line in lines[:4]}) == 4
        labels = [text.get_text() for text in lines[0].axes.get_legend().get_texts()]
        assert labels == list(curves)

    def test_counts_stand_for_pairs(self):
        scores, same = np.array([0.1, 0.4, 0.2, 0.8]), np.array([False, False, True, True])
        counts = np.array([5, 2, 3, 4])
        pairs = np.repeat(scores, counts), np.repeat(same, counts)
        curves = {"counted": (scores, same, counts), "one by one": pairs}
        counted, listed = kr.visualization.plot_roc(curves).axes[0].lines
        np.testing.assert_allclose(counted.get_xydata(), listed.get_xydata())
        assert counted.get_xdata()[0] == pytest.approx(1 / 7)

    def test_a_perfect_separation(self):
        figure = kr.visualization.plot_roc({"perfect": ([0.0, 0.1, 1.0], [0, 0, 1])})
        assert np.all(figure.axes[0].lines[0].get_ydata() == 1.0)
        drawn(figure)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"curves": {}}, "`curves`"),
            ({"curves": [([0, 1], [0, 1])]}, "`curves`"),
            ({"curves": {"a": np.ones(3)}}, "`curves`"),
            ({"min_far": 0.0}, "`min_far`"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = {"curves": {"a": self.pairs()}, **arguments}
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            kr.visualization.plot_roc(**arguments)
