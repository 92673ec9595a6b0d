"""A comparison, from its settings to its report."""

from keras_resample.compare.recognition.settings import Settings


def compare(settings=None, report=print):
    """Trains and tests the same model behind several ways of downsampling and writes the report.

    For recognition (`Settings`): what a learned grid has to beat (uniform, uniform antialiased, the
    mean of each cell, and centred crops of 10 and 20 % a side), FlowWarp, FlowWarp antialiased, and
    none (full resolution), or the front ends that are asked for. All of them see the same images
    in the same order, start from the same seed and are trained by the same schedule, on half of
    the identities; every pair of images of the other half is a trial of the verification test.
    With `search_crop` the crop that verifies best on a quarter of the training identities is
    compared too.

    For segmentation (`SegmentationSettings`): uniform, edge-based, interpolated and learned
    sampling, with the same network, compared at full resolution.

    For fine-grained classes (`RegionSettings`): `MSGN` with a stride, a centre crop, a Spatial
    Transformer, `RegionPooling` and `AdaptiveRegionPooling` in the branch that looks at a part.

    For digits that are not upright (`KeypointSettings`): `ViT` with absolute, relative, iRPE and
    rotary positions, `KeypointViT`, and a plain `ViT` on images aligned by the same keypoints; and
    for aligned faces, verified where they are not.

    For images of several resolutions (`ResolutionSettings`): one network for enlarged images,
    trained at the full resolution or at several, and for each resolution a network of its own, a
    branch of a `BTNet`, or a low-rank adapter.

    What is finished lies in `settings.out`: the same call again continues an interrupted run.

    Args:
        settings: `Settings`, `SegmentationSettings`, `RegionSettings`, `KeypointSettings` or
            `ResolutionSettings`. Default: `Settings()`, the embedded palmprints.
        report: function that gets each line of output.

    Returns:
        A dict, the content of `results.json`.

    Raises:
        SettingError: for a setting or data that cannot be used, before anything is trained.
        OSError: where a result cannot be written; what was written before stays.

    Example:

    >>> from keras_resample.compare import Settings, compare
    >>> settings = Settings(factor=0.5, seeds=(0, 1, 2), out="runs/half")
    >>> settings.command()
    'python -m keras_resample compare --factor 0.5 --out runs/half --seeds 0 1 2'

    `compare(settings)` does the same as that command.

    Reference:
        Zhao et al., "Beyond Predictive Resampling: Learning Input-Agnostic Downsampling for Aligned
        Vision Recognition", AAAI 2026: its protocol for palmprints.
    """
    from keras_resample.compare import tasks
    from keras_resample.compare.engine.run import run

    return run(tasks.task_of(settings or Settings()), report)
