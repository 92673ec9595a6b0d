"""Times the mean IoU of a class map of two million pixels, and an evaluation that needs it.

    python benchmarks/class_maps.py
    python benchmarks/class_maps.py --backend torch --keras

`--keras` times `keras.metrics.IoU` as well, which on PyTorch takes half a minute a call.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

SIZE, CLASSES = (1024, 2048), 19
MODES = {"torch": "eager", "tensorflow": "graph", "jax": "jit"}


def calls_of(mode, with_keras):
    """The variants: functions without arguments."""
    import keras
    import numpy as np

    import keras_resample as kr
    from keras_resample.metrics.segmentation.class_map_iou import ClassMapIoU

    random = np.random.default_rng(0)
    labels, found = random.integers(0, CLASSES, (2, 1, *SIZE)).astype("int32")
    image = random.integers(0, 256, (1, *SIZE, 3)).astype("uint8")
    tensors = [keras.ops.convert_to_tensor(maps) for maps in (labels, found)]

    def counts(metric):
        start = [variable.value for variable in metric.variables]
        update = harness.compiled(lambda *maps: metric.stateless_update_state(start, *maps), mode)
        return lambda: update(*tensors)

    sampler = kr.layers.UniformDownsample(0.25, data_format="channels_last")
    network = keras.Sequential([keras.Input((256, 512, 3)), keras.layers.Dense(CLASSES)])
    segmenter = kr.models.Segmenter(sampler, network)
    segmenter.compile("sgd")
    calls = {
        "numpy": lambda: kr.metrics.confusion_matrix(labels, found, CLASSES),
        "ClassMapIoU": counts(ClassMapIoU(CLASSES, range(CLASSES))),
        "Segmenter.evaluate": lambda: segmenter.evaluate(image, labels, verbose=0),
    }
    if with_keras:
        calls["keras.metrics.IoU"] = counts(keras.metrics.IoU(CLASSES, range(CLASSES)))
    return calls


def run_one(backend, threads, rounds, with_keras):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = backend
    harness.use_threads(threads)
    mode = MODES[backend]
    calls = calls_of(mode, with_keras)
    case = f"{backend} {mode}, {SIZE[0]}x{SIZE[1]}, {CLASSES} classes"
    rows = harness.measure(case, calls, "numpy", rounds, warm_up=1, settle=False)
    return [asdict(row) for row in rows]


def main():
    parser = harness.parser(__doc__, rounds=3)
    parser.add_argument("--keras", action="store_true", help="also the metric of Keras")
    options = parser.parse_args()
    if options.json:
        chosen = (options.backend, options.threads, options.rounds, options.keras)
        Path(options.json).write_text(json.dumps(run_one(*chosen)))
        return
    rows = []
    for backend in harness.backends(options):
        rows += harness.in_a_process(__file__, "--backend", backend)
    harness.write(harness.table(harness.Row(**row) for row in rows), options.output)


if __name__ == "__main__":
    main()
