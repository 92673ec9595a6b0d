"""Times a network behind each sampler against the same network behind a uniform resize.

    python benchmarks/end_to_end.py --sizes 56
    python benchmarks/end_to_end.py --encoder IResNet50 --batch 128 --policy mixed_bfloat16

Without `--backend` each of the installed ones runs in a process of its own. With a GPU the same
commands measure there.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

SIDE, SIZES = 112, (56, 84, 96)
CLASSES = 1000
ENCODERS = ("IResNet18", "IResNet34", "IResNet50", "IResNet100")
UNIFORM = "UniformDownsample"
PASSES = ("inference", "training")
NOTES = """\
* Images of 112x112x3, batch {batch}, {policy}; {encoder} with a softmax of 1000 classes. Inference
  is `predict_on_batch` without the way back to the host, training `train_on_batch` (SGD with
  momentum; the sampler is trained with the network) on tensors that are on the device.
* A number is the share of the images per second of `UniformDownsample` at the same size, in
  brackets its quartiles over the rounds; higher is better, 1 costs nothing. Goals: 0.99 for
  `FlowWarpDownsample` (its paper has 0.990 to 0.998), 0.95 for `SaliencySampler` (0.71 to 0.87).
"""


def samplers(size):
    """The layers to compare, by name."""
    import keras_resample as kr

    options = {"size": (size, size), "data_format": "channels_last"}
    return {
        UNIFORM: kr.layers.UniformDownsample(**options),
        "FlowWarpDownsample": kr.layers.FlowWarpDownsample(**options),
        "FlowWarpDownsample, antialiased": kr.layers.FlowWarpDownsample(antialias=True, **options),
        "SaliencySampler": kr.layers.SaliencySampler(**options),
    }


def classifier(sampler, network):
    """A compiled model: sampler, network, softmax."""
    import keras

    softmax = keras.layers.Dense(CLASSES, dtype="float32")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), sampler, network, softmax])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=[])
    return model


def calls_of(which, size, encoder, batch):
    """A function without arguments for each sampler: one batch of inference or training."""
    import numpy as np
    from keras import ops
    from keras.backend import backend

    import keras_resample as kr

    rng = np.random.default_rng(0)
    images = ops.convert_to_tensor(rng.random((batch, SIDE, SIDE, 3), dtype="float32"))
    labels = ops.convert_to_tensor(rng.integers(CLASSES, size=batch), "int32")
    network = getattr(kr.models, encoder)(input_shape=(size, size, 3))  # one: only time matters
    calls = {}
    for name, sampler in samplers(size).items():
        model = classifier(sampler, network)
        if which == "training":
            calls[name] = lambda model=model: model.train_on_batch(images, labels)
            continue
        infer = harness.without_gradient(lambda x, model=model: model(x, training=False))
        infer = harness.compiled(infer, {"torch": "eager", "tensorflow": "graph"}.get(backend()))
        calls[name] = lambda infer=infer: infer(images)
    return calls


def run_one(options):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = options.backend
    harness.use_threads(options.threads)
    import keras

    keras.config.set_dtype_policy(options.policy)
    rows = []
    for which in options.passes:
        for size in options.sizes:
            calls = calls_of(which, size, options.encoder, options.batch)
            case = f"{which}, {SIDE}->{size}"
            rows += harness.measure(case, calls, UNIFORM, options.rounds, warm_up=2, settle=False)
            print(harness.table(rows[-len(calls) :]), file=sys.stderr, flush=True)
    return {
        "backend": options.backend,
        "machine": harness.machine(),
        "rows": [asdict(row) for row in rows],
    }


def report(results, options):
    """The Markdown page of the results."""
    lines = ["# What a sampler costs in front of a network", "", f"`{harness.command_line()}`", ""]
    lines += [f"* {r['backend']}: {r['machine']}" for r in results] + [""]
    lines += [NOTES.format(**vars(options))]
    names = list(dict.fromkeys(row["variant"] for r in results for row in r["rows"]))[1:]
    for r in results:
        lines += [f"## {r['backend']}", "", "| | uniform, images/s | " + " | ".join(names) + " |"]
        lines += ["|---" * (len(names) + 2) + "|"]
        for case in dict.fromkeys(row["case"] for row in r["rows"]):
            rows = {row["variant"]: row for row in r["rows"] if row["case"] == case}
            speed = 1000 * options.batch / rows[UNIFORM]["wall_ms"]
            cells = [
                f"{1 / row['ratio']:.3f} ({1 / row['high']:.3f}-{1 / row['low']:.3f})"
                for row in (rows[name] for name in names)
            ]
            lines.append(f"| {case} | {speed:,.0f} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = harness.parser(__doc__, rounds=15)
    parser.add_argument("--encoder", choices=ENCODERS, default="IResNet18", help="the network")
    parser.add_argument("--batch", type=int, default=16, help="images (default: %(default)s)")
    parser.add_argument("--policy", default="float32", help="Keras dtype policy (default: float32)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sides of the samples")
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=PASSES)
    options = parser.parse_args()
    if options.json:
        Path(options.json).write_text(json.dumps(run_one(options)))
        return
    parts = (("--backend", backend) for backend in harness.backends(options))
    results = [harness.in_a_process(__file__, *part) for part in parts]
    harness.write(report(results, options), options.output)


if __name__ == "__main__":
    main()
