"""Times the saliency grid against a convolution, and SaliencySampler against a resize.

    python benchmarks/saliency.py --output docs/results/saliency.md
    python benchmarks/saliency.py --backend torch --threads 2 --cases grid

Without `--backend` each of the three runs in a process of its own. The memory of a large image is
measured as well, by the peak of the process's resident memory (Linux only).
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

MODES = {"torch": "eager", "tensorflow": "graph", "jax": "jit"}
SIGMA, RADIUS = 5.5207, 30

# name: batch, image, output, gradient
CASES = {
    "grid 31x31, inference": (16, None, None, False),
    "grid 31x31, training": (16, None, None, True),
    "layer 512->128x3, inference": (8, 512, 128, False),
    "layer 512->128x3, training": (8, 512, 128, True),
    "layer 112->56x3, inference": (64, 112, 56, False),
    "layer 112->56x3, training": (64, 112, 56, True),
}
LARGE, SMALL = 2448, 300
NAMES = (
    "resize",
    "GridSampler",
    "SaliencySampler, learned map",
    "SaliencySampler, default network",
)
BAR = LARGE * LARGE * 3 // 2 + SMALL * SMALL * 3 * 4
NOTES = """\
* "grid": the grid of maps of 31x31 cells by padding and three convolutions with the window of 61x61
  over `keras_resample.ops.saliency_grid`, sigma 5.52, radius 30: the ratio is how many times faster
  the latter is, 50 is the bar. Training is the gradient to the map.
* "layer": `SaliencySampler` over `keras.ops.image.resize` (bilinear, no antialiasing) of the same
  images, channels-last. Training is forward and backward; the resize's to the images, the only
  gradient it has, the layer's to its weights.
* The ratio is the median over the rounds of CPU time (on a GPU: wall time) over the baseline's in
  the same round.
* Memory (not on a GPU): what a call needs beside the image, its output included. On jax it is what
  the compiled program states; else the highest resident memory during the call less that before it,
  in a process that saw small images only. The bar is half of the image and the output.
"""


def grid_calls(case, mode):
    """The grid by matrices and by convolution."""
    import numpy as np
    from keras import ops

    import keras_resample as kr

    batch, _, _, training = CASES[case]
    side, padded = 31, 31 + 2 * RADIUS
    rng = np.random.default_rng(0)
    saliency = ops.convert_to_tensor(rng.uniform(size=(batch, side, side)), "float32")
    upstream = ops.convert_to_tensor(rng.normal(size=(batch, side, side, 2)), "float32")
    window = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    kernel = ops.convert_to_tensor(np.outer(window, window)[:, :, None, None], "float32")
    border = np.clip(np.arange(padded) - RADIUS, 0, side - 1)
    place = (np.arange(-RADIUS, side + RADIUS) + 0.5) / side
    x, y = np.meshgrid(place, place)
    places = ops.convert_to_tensor(
        np.stack([np.ones_like(x), x, y])[:, None, :, :, None], "float32"
    )

    def by_convolution(saliency):
        wide = ops.take(ops.take(saliency, border, axis=1), border, axis=2)
        fields = ops.reshape(places * wide[None, ..., None], (-1, padded, padded, 1))
        sums = ops.conv(fields, kernel, padding="valid", data_format="channels_last")
        total, sum_x, sum_y = ops.split(ops.reshape(sums, (3, batch, side, side)), 3, axis=0)
        return ops.stack([(sum_x / total)[0], (sum_y / total)[0]], axis=-1)

    def by_matrices(saliency):
        return kr.ops.saliency_grid(saliency, SIGMA, RADIUS)

    calls = {}
    for name, function in (("saliency_grid", by_matrices), ("convolution", by_convolution)):
        if training:
            function = harness.with_gradient(function, upstream, (0,))
        else:
            function = harness.without_gradient(function)
        compiled = harness.compiled(function, mode)
        calls[name] = lambda compiled=compiled: compiled(saliency)
    return calls, "saliency_grid"


def layer_calls(case, mode):
    """A resize, and the layer with a learned map and with its default network."""
    import numpy as np
    from keras import ops

    import keras_resample as kr

    batch, side, size, training = CASES[case]
    rng = np.random.default_rng(0)
    images = ops.convert_to_tensor(rng.uniform(size=(batch, side, side, 3)), "float32")
    upstream = ops.convert_to_tensor(rng.normal(size=(batch, size, size, 3)), "float32")

    def call(function, given, gradient_to):
        if training:
            function = harness.with_gradient(function, upstream, gradient_to)
        else:
            function = harness.without_gradient(function)
        compiled = harness.compiled(function, mode)
        return lambda: compiled(*given)

    def resize(images):
        return ops.image.resize(
            images, (size, size), "bilinear", antialias=False, data_format="channels_last"
        )

    calls = {"resize": call(resize, (images,), (0,))}
    for name, saliency in (("learned map", "learned"), ("default network", None)):
        layer = kr.layers.SaliencySampler(
            size=(size, size), saliency=saliency, data_format="channels_last"
        )
        layer.build(images.shape)
        for weight in layer.trainable_variables:
            weight.assign(rng.normal(0, 0.1, weight.shape))
        state = layer.non_trainable_variables

        def run(images, *weights, layer=layer, state=state):
            return layer.stateless_call(weights, state, images, training=training)[0]

        weights = [ops.convert_to_tensor(w) for w in layer.trainable_variables]
        calls[name] = call(run, (images, *weights), tuple(range(1, len(weights) + 1)))
    return calls, "resize"


def samplers():
    """The layers of `NAMES`."""
    import keras_resample as kr

    options = {"size": (SMALL, SMALL), "data_format": "channels_last"}
    layers = (
        kr.layers.UniformDownsample(**options),
        kr.layers.GridSampler(**options),
        kr.layers.SaliencySampler(saliency="learned", **options),
        kr.layers.SaliencySampler(**options),
    )
    return dict(zip(NAMES, layers, strict=True))


def memory_of(backend, name):
    """Bytes that a sampler needs beside an image of bytes, its output included.

    On JAX as the compiled program states them; else from the peak of this process, which must not
    have held a large image before: an allocator may keep what it has once got.
    """
    import numpy as np
    from keras import ops

    image = np.random.default_rng(0).integers(0, 256, (1, LARGE, LARGE, 3), "uint8")
    layer = samplers()[name]
    layer.build(image.shape)
    if backend == "jax":
        import jax

        program = jax.jit(lambda image: layer(image)).lower(image).compile()
        parts = program.memory_analysis()
        return parts.temp_size_in_bytes + parts.output_size_in_bytes
    if backend == "tensorflow":  # one graph for the small image that warms up and the large one
        import tensorflow as tf

        signature = [tf.TensorSpec([None, None, None, 3], "uint8")]
        run = tf.function(lambda image: layer(image), input_signature=signature)
    else:
        run = harness.without_gradient(lambda image: layer(image))
    side = 2 * SMALL
    small, image = (ops.convert_to_tensor(x) for x in (image[:, :side, :side], image))
    for _ in range(3):
        harness.synchronize(run(small))
    return harness.peak_growth(lambda: run(image))


def run_one(backend, threads, rounds, cases):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = backend
    harness.use_threads(threads)
    mode, rows = MODES[backend], []
    for case in CASES:
        if cases in case:
            calls, baseline = (grid_calls if case.startswith("grid") else layer_calls)(case, mode)
            rows += [asdict(row) for row in harness.measure(case, calls, baseline, rounds)]
            print(harness.table(harness.Row(**r) for r in rows[-len(calls) :]), file=sys.stderr)
    return {"backend": backend, "rows": rows, "machine": harness.machine()}


def report(results):
    """The Markdown page of all backends."""
    lines = ["# Speed and memory of the saliency sampler", "", f"`{harness.command_line()}`", ""]
    lines += [NOTES]
    for result in results:
        lines += [f"## {result['backend']}", "", f"* {result['machine']}", ""]
        lines += [harness.table(harness.Row(**row) for row in result["rows"]), ""]
        if result["memory"]:
            lines += [
                f"An image of bytes, {LARGE} x {LARGE} x 3, sampled to {SMALL} x {SMALL}:",
                "",
            ]
            lines += ["| sampler | MB beside the image | bar |", "|---|---|---|"]
            for name, used in result["memory"].items():
                lines.append(f"| {name} | {used / 1e6:.1f} | {BAR / 1e6:.1f} |")
            lines.append("")
    return "\n".join(lines)


def main():
    parser = harness.parser(__doc__, rounds=15)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)  # instead of the speed
    options = parser.parse_args()
    if options.json:
        os.environ["KERAS_BACKEND"] = options.backend
        if options.memory_of:
            harness.use_threads(1)
            found = memory_of(options.backend, options.memory_of)
        else:
            found = run_one(options.backend, options.threads, options.rounds, options.cases)
        Path(options.json).write_text(json.dumps(found))
        return
    results = []
    for backend in harness.backends(options):
        part = (__file__, "--backend", backend)
        result = harness.in_a_process(*part)
        result["memory"] = {}
        can_measure = backend == "jax" or Path("/proc/self/clear_refs").exists()
        if can_measure and "on the CPU" in result["machine"]:
            for name in NAMES:
                arguments = (*part, "--memory-of", name)
                found = harness.in_a_process(*arguments, environment=harness.EXACT_MEMORY)
                result["memory"][name] = found
        results.append(result)
    harness.write(report(results), options.output)


if __name__ == "__main__":
    main()
