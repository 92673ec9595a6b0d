"""Times region pooling of feature maps against a resize, and in a ResNet against average pooling.

    python benchmarks/regions.py --output docs/results/region_speed.md
    python benchmarks/regions.py --backend torch --cases inference --rounds 5

Without `--backend` each of the three runs in a process of its own.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

MODES = {"torch": ("eager",), "tensorflow": ("graph", "jit"), "jax": ("jit",)}
BATCH, SIDE, CHANNELS = 64, 56, 64
TRAINING = {"inference, features 56->28x64": False, "training, features 56->28x64": True}
NETWORK_SIDE = 448
BARS = {"inference": "1.0, 1.0, 0.1", "training": "2.5, 2.0, 1.3"}
NOTES = """\
Every ratio is to `keras.ops.image.resize` (bilinear, no antialiasing) of the same maps, batch 64,
channels-last; training is forward and backward to the maps. "reading" is the sampler alone at boxes
that are given: the rest of a pooling is to find its region. The ratio is the median over the rounds
of CPU time over the baseline's in the same round.

"ResNet-50" is the network on one image of 448x448, its Conv3 and Conv4 behind a pooling by two in
place of their strides: the ratio is that of adaptive region pooling to average pooling, all else
equal. Training is `train_on_batch`.
"""


def calls_of(training, mode):
    """The variants: functions without arguments that compute and return tensors."""
    import keras
    import numpy as np
    from keras import ops

    import keras_resample as kr
    from keras_resample.ops.regions import read_boxes

    rng, half = np.random.default_rng(0), (SIDE // 2, SIDE // 2)
    maps = ops.convert_to_tensor(rng.normal(size=(BATCH, SIDE, SIDE, CHANNELS)), "float32")
    upstream = ops.convert_to_tensor(rng.normal(size=(BATCH, *half, CHANNELS)), "float32")
    low = rng.integers(0, 14, (BATCH, 1, 2))
    boxes = ops.convert_to_tensor(np.concatenate([low, low + 40], axis=2), "float32")
    options = {"data_format": "channels_last"}
    variants = {
        "resize": lambda maps: ops.image.resize(maps, half, "bilinear", **options),
        "AveragePooling2D": keras.layers.AveragePooling2D(2, **options),
        "reading": lambda maps: read_boxes(maps, boxes, size=half)[:, 0],
        "RegionPooling": kr.layers.RegionPooling(0.5, **options),
        "AdaptiveRegionPooling": kr.layers.AdaptiveRegionPooling(0.5, 0.7, **options),
    }

    def call(function):
        if training:
            function = harness.with_gradient(function, upstream, (0,))
        else:
            function = harness.without_gradient(function)
        compiled = harness.compiled(function, mode)
        return lambda: compiled(maps)

    return {name: call(function) for name, function in variants.items()}


def network_calls(training, mode):
    """A ResNet-50 behind average pooling, and behind adaptive region pooling."""
    import keras
    import numpy as np
    from keras import ops

    import keras_resample as kr

    images = ops.ones((1, NETWORK_SIDE, NETWORK_SIDE, 3)) * 128.0
    labels = ops.convert_to_tensor(np.zeros(1, "int32"))
    calls = {}
    for name, pool in (
        ("AveragePooling2D", lambda: keras.layers.AveragePooling2D(2, data_format="channels_last")),
        (
            "AdaptiveRegionPooling",
            lambda: kr.layers.AdaptiveRegionPooling(0.5, 0.7, data_format="channels_last"),
        ),
    ):
        model = kr.models.MSGN(
            "resnet50",
            num_local_branches=0,
            input_shape=images.shape[1:],
            conv3=pool(),
            conv4=pool(),
            data_format="channels_last",
        )
        if training:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile("sgd", loss, metrics=[], jit_compile=mode == "jit")
            calls[name] = lambda model=model: model.train_on_batch(images, labels)
        else:
            infer = harness.without_gradient(lambda x, model=model: model(x, training=False))
            infer = harness.compiled(infer, mode)
            calls[name] = lambda infer=infer: infer(images)
    return calls


def run_one(backend, threads, rounds, cases):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = backend
    harness.use_threads(threads)
    rows = []
    for case, training in TRAINING.items():
        for mode in MODES[backend]:
            if cases in case:
                calls = calls_of(training, mode)
                rows += map(asdict, harness.measure(f"{case}, {mode}", calls, "resize", rounds))
    for name, training in (("inference", False), ("training", True)):
        for mode in MODES[backend]:
            case = f"{name}, ResNet-50, {mode}"
            if cases in case:
                calls, few = network_calls(training, mode), max(3, rounds // 3)
                found = harness.measure(case, calls, "AveragePooling2D", few, 1, settle=False)
                rows += map(asdict, found)
    return {"backend": backend, "rows": rows, "machine": harness.machine()}


def report(results):
    """The Markdown page of all backends."""
    lines = ["# Speed of region pooling", "", f"`{harness.command_line()}`", "", NOTES]
    lines += [f"Bars of {name} (torch, tensorflow, jax): {bars}.\n" for name, bars in BARS.items()]
    for result in results:
        lines += [f"## {result['backend']}", "", f"* {result['machine']}", ""]
        lines += [harness.table(harness.Row(**row) for row in result["rows"]), ""]
    return "\n".join(lines)


def main():
    parser = harness.parser(__doc__, rounds=15)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    if options.json:
        found = run_one(options.backend, options.threads, options.rounds, options.cases)
        Path(options.json).write_text(json.dumps(found))
        return
    parts = [
        harness.in_a_process(__file__, "--backend", name) for name in harness.backends(options)
    ]
    harness.write(report(parts), options.output)


if __name__ == "__main__":
    main()
