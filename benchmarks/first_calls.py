"""Times the first `fit` behind a sampler: tracing, compiling and one step, in a fresh process.

    python benchmarks/first_calls.py
    python benchmarks/first_calls.py --backend jax

Prints seconds of CPU time and, in brackets, how many times those of `UniformDownsample` they are.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

LAYERS = ("UniformDownsample", "FlowWarpDownsample", "SaliencySampler")


def first_call(backend, name):
    """Seconds of the first `fit` of a small model, of one batch, antialiased 112->28x3."""
    os.environ["KERAS_BACKEND"] = backend
    import keras
    import numpy as np

    import keras_resample as kr

    sampler = getattr(kr.layers, name)(size=(28, 28), antialias=True, data_format="channels_last")
    pool = keras.layers.GlobalAveragePooling2D(data_format="channels_last")
    model = keras.Sequential([keras.Input((112, 112, 3)), sampler, pool, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    images = np.random.default_rng(0).uniform(size=(64, 112, 112, 3)).astype("float32")
    start = time.process_time()
    model.fit(images, np.zeros((64, 1)), batch_size=64, verbose=0)
    return time.process_time() - start


def main():
    parser = harness.parser(__doc__, rounds=1)
    parser.add_argument("--layer", choices=LAYERS, help=argparse.SUPPRESS)  # in a part's process
    options = parser.parse_args()
    if options.json:
        Path(options.json).write_text(json.dumps(first_call(options.backend, options.layer)))
        return
    lines = ["| backend | " + " | ".join(LAYERS) + " |", "|---" * (len(LAYERS) + 1) + "|"]
    for backend in harness.backends(options):
        seconds = [
            min(
                harness.in_a_process(__file__, "--backend", backend, "--layer", layer)
                for _ in range(options.rounds)
            )
            for layer in LAYERS
        ]
        cells = " | ".join(f"{s:.1f} ({s / seconds[0]:.1f})" for s in seconds)
        lines.append(f"| {backend} | {cells} |")
    harness.write("\n".join(lines) + "\n", options.output)


if __name__ == "__main__":
    main()
