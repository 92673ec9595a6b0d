"""Times and weighs attention that follows keypoints beside attention without a bias.

    python benchmarks/attention.py --output docs/results/attention_speed.md
    python benchmarks/attention.py --backend torch --cases product --rounds 5

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
BATCH, SIDE, WIDTH, HEADS, KEYPOINTS = 16, 14, 512, 8, 5
PATCHES = SIDE**2
PRODUCTS = ("fused", "einsum")
# The faster one without a bias, which the ratios are to.
BASELINES = {"torch": "none, fused", "tensorflow": "none, einsum", "jax": "none, einsum"}
BIASES = ("none", "constant", "keypoints", "keypoints, straight")
BARS = {
    "inference": "torch 1.65, tensorflow graph 1.6, jit 1.35, jax 1.55",
    "training": "torch 1.45, tensorflow graph 1.45, jit 1.3, jax 1.35",
}
NOTES = """\
Attention as in ViT-S: 196 tokens of 512 channels, 8 heads, batch 16, 5 keypoints, float32.
"product" is softmax(q k^T + B) v alone, of queries, keys and values that are given; "layer" has the
dense layers before and behind it. B is nothing, a weight (1, heads, 196, 196), or that of
`KeypointRelativeBias`, with the computation of its tables. "straight" is the same by the formula as
printed, a table f(P) for each query of each image. "fused" is Keras's `dot_product_attention`,
"einsum" two products and a softmax. The default is fused in inference on JAX and PyTorch, else
einsum. Training is forward and backward to all inputs and weights but the keypoints.

The ratio is to the faster attention without a bias: the median over the rounds of CPU time over the
baseline's in the same round.
"""
MEMORY_NOTES = """\
Peak memory that one call of the layer adds to the process, in MB, on one thread, compiled before.
The tables of one depth are 16 x 8 x 49 numbers beside 8 x 196 x 49 that the batch shares, and f(P)
as printed 16 x 8 x 196 x 49, which PyTorch sums them to; a bias (16, 8, 196, 196) is 19.7 MB.
"""


def straight_bias(keypoints, kernel, bias, ids):
    """B[i, j] = f(P)[i, bucket(i, j)] with f(P) = (M - P) W + b, by the formula."""
    from keras import ops

    from keras_resample.ops.grids import uniform_grid
    from keras_resample.ops.relative_position import read_tables

    centers = ops.reshape(uniform_grid((SIDE, SIDE)), (1, -1, 1, 2))
    offsets = ops.reshape(centers - keypoints[:, None], (-1, PATCHES, 2 * KEYPOINTS))
    tables = ops.tensordot(offsets, kernel, axes=1) + bias
    return read_tables(ids, ops.transpose(tables[:, :, 0], (0, 2, 1, 3)))


def biases():
    """name -> (function of weights and keypoints to a bias or None, its weights)."""
    import numpy as np
    from keras import ops

    import keras_resample as kr

    rng = np.random.default_rng(0)

    def weights(*shape):
        return ops.convert_to_tensor(rng.normal(size=shape, scale=0.02), "float32")

    layer = kr.layers.KeypointRelativeBias(HEADS, grid_size=SIDE)
    layer.build((None, KEYPOINTS, 2))
    of_layer = [weights(*weight.shape) for weight in layer.weights]

    def moved(weights, keypoints):
        return layer.stateless_call(weights, [], keypoints, index=0)[0]

    def straight(weights, keypoints):
        return straight_bias(keypoints, *weights, layer.ids)

    return {
        "none": (lambda weights, keypoints: None, []),
        "constant": (lambda weights, keypoints: weights[0], [weights(1, HEADS, PATCHES, PATCHES)]),
        "keypoints": (moved, of_layer),
        "keypoints, straight": (straight, of_layer),
    }


def attentions(case):
    """product -> (function of weights, inputs and a bias, its weights, its inputs)."""
    import numpy as np
    from keras import ops

    import keras_resample as kr
    from keras_resample.layers.attention.products import attend

    rng = np.random.default_rng(1)

    def normal(*shape, scale=1.0):
        return ops.convert_to_tensor(rng.normal(size=shape, scale=scale), "float32")

    def product(kind):
        scale = (WIDTH // HEADS) ** -0.5
        heads = [normal(BATCH, PATCHES, HEADS, WIDTH // HEADS) for _ in range(3)]
        fused = kind == "fused"
        return lambda weights, inputs, bias: attend(*inputs, bias, scale, fused), [], heads

    def layer(kind):
        attention = kr.layers.RelativeAttention(HEADS, attention=kind)
        attention.build((None, PATCHES, WIDTH))
        weights = [normal(*weight.shape, scale=0.02) for weight in attention.weights]

        def call(weights, inputs, bias):
            return attention.stateless_call(weights, [], *inputs, bias=bias)[0]

        return call, weights, [normal(BATCH, PATCHES, WIDTH)]

    make = product if case == "product" else layer
    return {kind: make(kind) for kind in PRODUCTS}


def calls_of(case, training, mode):
    """The variants: functions without arguments that compute and return tensors."""
    import numpy as np
    from keras import ops

    rng = np.random.default_rng(2)
    keypoints = ops.convert_to_tensor(rng.random((BATCH, KEYPOINTS, 2)), "float32")

    def call(attention, bias):
        attend, weights, inputs = attention
        bias_of, of_bias = bias
        first, second = len(inputs), len(inputs) + len(weights)

        def function(keypoints, *tensors):
            added = bias_of(list(tensors[second:]), keypoints)
            return attend(list(tensors[first:second]), tensors[:first], added)

        tensors = keypoints, *inputs, *weights, *of_bias
        if training:
            upstream = ops.ones_like(inputs[0])
            function = harness.with_gradient(function, upstream, tuple(range(1, len(tensors))))
        else:
            function = harness.without_gradient(function)
        function = harness.compiled(function, mode)
        return lambda: function(*tensors)

    found = attentions(case)
    return {
        f"{name}, {kind}": call(found[kind], bias)
        for name, bias in biases().items()
        for kind in PRODUCTS
    }


def run_one(backend, options):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = backend
    harness.use_threads(options.threads)
    rows, memory = [], []
    for case in ("product", "layer"):
        for name in ("inference", "training"):
            for mode in MODES[backend]:
                title = f"{case}, {name}, {mode}"
                if options.cases not in title:
                    continue
                calls = calls_of(case, name == "training", mode)
                if not options.memory:
                    found = harness.measure(title, calls, BASELINES[backend], options.rounds)
                    rows += map(asdict, found)
                elif case == "layer":
                    memory.append([title, *map(grown, calls.values())])
    return {"backend": backend, "rows": rows, "memory": memory, "machine": harness.machine()}


def grown(call):
    """Megabytes that a call adds at most, of three."""
    harness.synchronize(call())
    return min(harness.peak_growth(call) for _ in range(3)) / 1e6


def report(results):
    """The Markdown page of all backends."""
    lines = ["# Speed of keypoint-relative attention", "", f"`{harness.command_line()}`", "", NOTES]
    lines += [f"Bars of {name}: {bars}.\n" for name, bars in BARS.items()]
    for result in results:
        lines += [f"## {result['backend']}", "", f"* {result['machine']}", ""]
        lines += [harness.table(harness.Row(**row) for row in result["rows"]), ""]
    names = [f"{name}, {kind}" for name in BIASES for kind in PRODUCTS]
    lines += ["## Memory", "", MEMORY_NOTES, "| | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for result in results:
        for title, *megabytes in result["memory"]:
            numbers = " | ".join(f"{number:.0f}" for number in megabytes)
            lines.append(f"| {result['backend']}: {title} | {numbers} |")
    return "\n".join([*lines, ""])


def main():
    parser = harness.parser(__doc__, rounds=15)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument("--memory", action="store_true", help="weigh the layers only")
    options = parser.parse_args()
    if options.json:
        Path(options.json).write_text(json.dumps(run_one(options.backend, options)))
        return
    parts = []
    for name in harness.backends(options):
        weighed = ("--backend", name, "--memory")
        part = harness.in_a_process(__file__, *weighed, environment=harness.EXACT_MEMORY)
        if not options.memory:
            part["rows"] = harness.in_a_process(__file__, "--backend", name)["rows"]
        parts.append(part)
    harness.write(report(parts), options.output)


if __name__ == "__main__":
    main()
