"""Times the way back, `ops.restore`, against Keras's nearest resize of the same size.

    python benchmarks/restore.py --output docs/results/restore.md
    python benchmarks/restore.py --backend torch --cases camvid --grids uniform

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
BAR = 10

# name: batch, grid, channels, image
CASES = {
    "camvid, 45x60x11 -> 360x480": (4, (45, 60), 11, (360, 480)),
    "large, 300x300x7 -> 2448x2448": (1, (300, 300), 7, (2448, 2448)),
}
GRIDS = ("uniform", "smooth", "zoomed", "one-hot")
NOTES = """\
Every ratio is to `keras.ops.image.resize(values, size, interpolation="nearest")` of the same
backend on the same values, channels-last, a grid for each image. The goal is a ratio of at most 10
for `nearest`.

* "uniform" is the grid of a resize. "smooth" comes from a saliency map of a few wide bumps, four
  times as salient as the rest, "zoomed" from bumps thirty times as salient: there the sampler
  piles points up at the frame and is denser than the pixels. With a "one-hot" saliency map all
  points lie at one place: every pixel walks through the tree, the worst case.
* "nearest, shared" has one grid for the whole batch, "bilinear" inverts the grid.
* The ratio is the median over the rounds of CPU time over the baseline's in the same round; the
  quartiles are its spread.
* tensorflow: "graph" is `tf.function`, what Keras runs on a CPU; "jit" compiles all of it.
"""


def grid_of(name, rows, cols, seed):
    """A grid (rows, cols, 2) as a sampler makes it."""
    import numpy as np
    from keras import ops

    import keras_resample as kr

    if name == "uniform":
        return ops.convert_to_numpy(kr.ops.uniform_grid((rows, cols)))[0]
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :cols]
    saliency = np.ones((rows, cols))
    for _ in range(3):
        centre_y, centre_x = rng.uniform(0, rows), rng.uniform(0, cols)
        square = ((y - centre_y) / (0.12 * rows)) ** 2 + ((x - centre_x) / (0.12 * cols)) ** 2
        saliency += {"smooth": 3, "zoomed": 30, "one-hot": 0}[name] * np.exp(-square / 2)
    if name == "one-hot":
        saliency = np.zeros((rows, cols))
        saliency[rows // 3, cols // 2] = 1
    sigma = (0.18 * rows, 0.18 * cols)
    return ops.convert_to_numpy(kr.ops.saliency_grid(saliency[None].astype("float32"), sigma))[0]


def calls_of(case, grid_name, mode):
    """The variants of one case: functions without arguments that compute and return tensors."""
    import numpy as np
    from keras import ops

    import keras_resample as kr

    batch, shape, channels, size = CASES[case]
    values = np.random.default_rng(0).uniform(size=(batch, *shape, channels))
    values = ops.convert_to_tensor(values, "float32")
    grids = np.stack([grid_of(grid_name, *shape, seed) for seed in range(batch)])
    grids = ops.convert_to_tensor(grids, "float32")

    def resize(values):
        return ops.image.resize(values, size, "nearest", data_format="channels_last")

    def restore(interpolation):
        def run(values, grids):
            return kr.ops.restore(values, grids, size, interpolation, data_format="channels_last")

        return run

    def call(function, *given):
        compiled = harness.compiled(harness.without_gradient(function), mode)
        return lambda: compiled(*given)

    calls = {"resize": call(resize, values), "nearest": call(restore("nearest"), values, grids)}
    if batch > 1:
        calls["nearest, shared"] = call(restore("nearest"), values, grids[:1])
    calls["bilinear"] = call(restore("bilinear"), values, grids)
    return calls


def run_one(backend, threads, rounds, cases, grids):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = backend
    harness.use_threads(threads)
    result = {"backend": backend, "modes": {}}
    for mode in MODES[backend]:
        rows = []
        for case in (name for name in CASES if cases in name):
            for grid in (name for name in GRIDS if grids in name):
                calls = calls_of(case, grid, mode)
                found = harness.measure(f"{case}, {grid}", calls, "resize", rounds, warm_up=1)
                rows += [asdict(row) for row in found]
                print(harness.table(found), file=sys.stderr, flush=True)
        result["modes"][mode] = rows
    result["machine"] = harness.machine()
    return result


def report(results):
    """The Markdown page of the results."""
    lines = ["# How fast the way back is", "", f"`{harness.command_line()}`", ""]
    lines += [f"* {r['backend']}: {r['machine']}" for r in results] + ["", NOTES]
    columns = {(r["backend"], mode): rows for r in results for mode, rows in r["modes"].items()}
    lines += [f"## Over the nearest resize (goal for `nearest`: {BAR})", ""]
    lines += ["| case | variant | " + " | ".join(f"{b} {m}" for b, m in columns) + " |"]
    lines += ["|---" * (len(columns) + 2) + "|"]
    measured = [(r["case"], r["variant"]) for r in next(iter(columns.values()))]
    for case, variant in (pair for pair in measured if pair[1] != "resize"):
        cells = [
            f"{row['ratio']:.1f}"
            for rows in columns.values()
            for row in rows
            if (row["case"], row["variant"]) == (case, variant)
        ]
        lines.append(f"| {case} | {variant} | " + " | ".join(cells) + " |")
    for (backend, mode), rows in columns.items():
        lines += ["", f"## {backend}, {mode}", ""]
        lines.append(harness.table(harness.Row(**row) for row in rows))
    return "\n".join(lines) + "\n"


def main():
    parser = harness.parser(__doc__, rounds=7)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument("--grids", default="", help="only grids whose name contains this")
    options = parser.parse_args()
    if options.json:
        chosen = (options.threads, options.rounds, options.cases, options.grids)
        Path(options.json).write_text(json.dumps(run_one(options.backend, *chosen)))
        return
    parts = (("--backend", backend) for backend in harness.backends(options))
    results = [harness.in_a_process(__file__, *part) for part in parts]
    harness.write(report(results), options.output)


if __name__ == "__main__":
    main()
