"""Times the branches of a `BTNet` on small images beside its trunk on the same, enlarged.

    python benchmarks/resolutions.py
    python benchmarks/resolutions.py --backend torch --encoder IResNet18 --rounds 5

Without `--backend` each of the installed ones runs in a process of its own.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

SIDE, SIDES = 112, (56, 28, 14, 7)
MODES = {"torch": "eager", "tensorflow": "graph", "jax": "jit"}
ENLARGED = "enlarged"
NOTES = """\
* {encoder} for images of 112x112x3 is the trunk, batch {batch}, float32, inference. A branch takes
  small images as they are; "enlarged" are small images resized to 112x112 (bilinear) and embedded
  by the trunk, which costs the same from every size but for the resize: from 28x28 here.
* GFLOPs of one image by `BTNet.costs`, and over the trunk's. Time: CPU time over that of enlarged
  images in the same round, the median over the rounds, in brackets the quartiles. A branch whose
  time is its arithmetic has the same number in both columns.
"""


def network_of(encoder):
    """A `BTNet` with a branch for each of `SIDES`."""
    import keras_resample as kr

    trunk = getattr(kr.models, encoder)(input_shape=(SIDE, SIDE, 3))
    return kr.models.BTNet(trunk, [(side, side) for side in SIDES])


def calls_of(network, batch):
    """A function without arguments for each resolution, and for enlarged images."""
    import numpy as np
    from keras import ops
    from keras.backend import backend

    rng = np.random.default_rng(0)

    def call(function, side):
        images = ops.convert_to_tensor(rng.random((batch, side, side, 3), dtype="float32"))
        infer = harness.compiled(harness.without_gradient(function), MODES[backend()])
        return lambda: infer(images)

    def enlarged(images):
        return network(ops.image.resize(images, (SIDE, SIDE)), training=False)

    found = {ENLARGED: call(enlarged, SIDES[1])}
    for side in SIDES:
        found[f"{side}x{side}"] = call(lambda images: network(images, training=False), side)
    return found


def run_one(options):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = options.backend
    harness.use_threads(options.threads)
    network = network_of(options.encoder)
    calls = calls_of(network, options.batch)
    rows = harness.measure(options.encoder, calls, ENLARGED, options.rounds, 2, settle=False)
    return {
        "backend": options.backend,
        "machine": harness.machine(),
        "rows": [asdict(row) for row in rows],
        "costs": network.costs(),
    }


def report(results, options):
    """The Markdown page of the results."""
    lines = ["# What an image of low resolution costs", "", f"`{harness.command_line()}`", ""]
    lines += [f"* {r['backend']}: {r['machine']}" for r in results] + [""]
    lines += [NOTES.format(**vars(options))]
    header = ["images", "GFLOPs", "over the trunk's", *(f"{r['backend']}, time" for r in results)]
    lines += ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    costs = results[0]["costs"]
    for number, cost in enumerate(costs):
        cells = ["x".join(map(str, cost["resolution"])), f"{cost['gflops']:.3g}"]
        cells.append(f"{cost['ratio']:.2f}")
        for row in (r["rows"][number] for r in results):
            cells.append(f"{row['ratio']:.2f} ({row['low']:.2f}-{row['high']:.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Images/s of enlarged ones: " + ", ".join(speeds(results, options)) + ".", ""]
    return "\n".join(lines)


def speeds(results, options):
    """Images per second of the baseline, on each backend."""
    for r in results:
        yield f"{r['backend']} {1000 * options.batch / r['rows'][0]['cpu_ms']:.3g}"


def main():
    parser = harness.parser(__doc__, rounds=11)
    parser.add_argument("--encoder", default="IResNet50", help="of `models` (default: IResNet50)")
    parser.add_argument("--batch", type=int, default=8, help="images (default: %(default)s)")
    options = parser.parse_args()
    if options.json:
        Path(options.json).write_text(json.dumps(run_one(options)))
        return
    parts = (("--backend", backend) for backend in harness.backends(options))
    results = [harness.in_a_process(__file__, *part) for part in parts]
    harness.write(report(results, options), options.output)


if __name__ == "__main__":
    main()
