"""The pictures of a comparison on warped digits."""

import numpy as np
from matplotlib.figure import Figure

from keras_resample import visualization
from keras_resample.compare.engine.figures import learning_curves
from keras_resample.compare.engine.task import Run
from keras_resample.compare.keypoints import networks, table
from keras_resample.compare.keypoints.names import TITLES


def draw(records, load, parts, settings):
    """Pairs of the name of a figure and the figure.

    Args:
        records: of all runs.
        load: function from a `Run` to its trained network.
        parts: two `Part`s of the same image, upright and warped.
        settings: `KeypointSettings`.
    """
    by_method = table.trainings(records)
    yield "severity", by_severity(by_method, settings.severities)
    yield "learning_curves", learning_curves(by_method, TITLES.get)
    yield from attention_biases(by_method, load, parts, settings)


def accuracies(record, transform):
    """Those of a run upright and under a transform."""
    return [record["accuracy"], *record["by_transform"][transform]]


def by_severity(by_method, severities, read=accuracies, name="test accuracy"):
    """What is measured over severity, mean of the seeds, a panel for each transform.

    Args:
        by_method: of `table.trainings`.
        severities: those of the transforms.
        read: function from a record and a transform to shares, `None` where there is none.
        name: of what it reads.
    """
    transforms = list(next(iter(by_method.values()))[0]["by_transform"])
    figure = Figure(figsize=(2.7 * len(transforms), 3.6), layout="constrained")
    panels = figure.subplots(1, len(transforms), sharey=True)
    for ax, transform in zip(panels, transforms, strict=True):
        for number, (method, own) in enumerate(by_method.items()):
            curves = [read(record, transform) for record in own]
            curve = 100 * np.mean(np.array(curves, float), axis=0)
            ax.plot([0, *severities], curve, "o-", color=f"C{number}", label=TITLES[method])
        ax.set(title=transform, xlabel="severity")
        ax.grid(True, color="0.85", linewidth=0.6)
    panels[0].set_ylabel(f"{name}, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def attention_biases(by_method, load, parts, settings):
    """Pairs of a name and `attention_bias`, of the networks that have one and the first seed."""
    for method in ("relative", "keypoint"):
        if settings.seeds[0] in [record["seed"] for record in by_method.get(method, [])]:
            network = load(Run(method, settings.seeds[0]))
            yield f"attention_bias_{method}", attention_bias(network, parts, settings)


def attention_bias(network, parts, settings):
    """The bias of the first attention, as in Fig. 3: its head with the largest spread.

    Faces are not shown.
    """
    keypoints = np.concatenate([part.keypoints for part in parts])
    images = None if settings.faces else np.concatenate([part.images for part in parts])
    bias = networks.first_bias(network, keypoints)
    head = bias.std(axis=(0, 3)).mean(axis=-1).argmax()
    bias = np.broadcast_to(bias[:, head], (len(keypoints), *bias.shape[2:]))
    side = settings.size // settings.patch_size
    return visualization.plot_attention_bias(
        bias, (side, side), keypoints=keypoints, images=images, data_format="channels_last"
    )
