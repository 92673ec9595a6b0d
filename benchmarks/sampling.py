"""Times FlowWarp and the sampler against Keras's own resize.

    python benchmarks/sampling.py --output docs/results/sampling.md
    python benchmarks/sampling.py --backend torch --threads 2 --cases training

Without `--backend` each of the three runs in a process of its own. With a GPU the same commands
measure there, in wall time.
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

# name: batch, input, output, channels, antialias, one grid for all, gradient to (images, grid)
CASES = {
    "inference, image 112->56x3": (64, 112, 56, 3, False, True, ""),
    "inference, image 112->84x3": (64, 112, 84, 3, False, True, ""),
    "inference, image 112->96x3": (64, 112, 96, 3, False, True, ""),
    "inference, antialiased 112->28x3": (64, 112, 28, 3, True, True, ""),
    "inference, features 56->28x64": (64, 56, 28, 64, False, True, ""),
    "training, grid only 112->56x3": (64, 112, 56, 3, False, True, "grid"),
    "training, both 112->56x3": (64, 112, 56, 3, False, True, "both"),
    "inference, per-image grids 512->128x3": (8, 512, 128, 3, False, False, ""),
    "training, per-image grids 512->128x3": (8, 512, 128, 3, False, False, "grid"),
}
MAPPED = "inference, image 112->56x3"  # the case of `map_coordinates`, which is that slow
MAP = (31, 31)  # of the saliency that grids per image come from
SIGMA = 31 / 6  # of its window, in its cells
VARIANTS = (
    "FlowWarpDownsample",
    "ops.sample",
    "penalties",
    "conditioning",
    "grid_sample",
    "map_coordinates",
)
BARS = {
    "inference, image 112->56x3": (1.5, 2.0, 0.4),
    "inference, antialiased 112->28x3": (4, 4, 2),
    "inference, features 56->28x64": (1.3, 1.3, 0.12),
    "training, grid only 112->56x3": (1.3, 1.6, 0.6),
    "inference, per-image grids 512->128x3": (3.2, 2.6, 0.2),
    "training, per-image grids 512->128x3": (2, 3, 0.7),
}
ON_CPU = """\
Nothing here says how the sampler does on a GPU. A load average above the number of cores means that
other work shared them."""
NOTES = """\
Every ratio is to `keras.ops.image.resize(images, size, interpolation="bilinear")` of the same
backend on the same images, channels-last, with `antialias=True` in the antialiased row and
`antialias=False` in all others. Inference is one forward pass. Training is forward and backward
over resize's forward and backward (to the images, the only gradient it has): "grid only" is what a
sampler in front of a network pays, "both" is inside of one. A shared grid is random around the
uniform one (0.7 pixels); grids per image are those of random saliency maps. Bars are in brackets.

* The ratio is the median over the rounds of CPU time (on a GPU: wall time, launches included) over
  the baseline's in the same round; the quartiles are its spread. Lower is better; 1 costs as much
  as a resize. Bars are for CPUs.
* jax: `jax.image.resize` is a dense matrix product. The small ratios there say as much about it as
  about the sampler.
* tensorflow: "graph" is `tf.function`, what Keras runs on a CPU; "jit" compiles all of it, resize
  too, except the antialiased resize, which XLA cannot compile.
* glibc is told to keep freed memory, and in each round every variant is called twice in its turn
  and timed the second time: what one leaves in caches and allocator is not charged to the next, and
  a quick one is not timed in a longer row of its own calls than a slow one.
* `FlowWarpDownsample` in training is the sum of its parts: `ops.sample` is the sampling alone,
  "penalties" those on the flow and "conditioning" that of its gradient, both forward and backward.
  The last two cost the same at any batch size.
* The peers: "grid_sample" is `torch.nn.functional.grid_sample` on the permuted view, and
  "map_coordinates" is `keras.ops.image.map_coordinates` of each image and channel under
  `vectorized_map`. Neither antialiases.
* "four takes" is the kernel in plain `keras.ops`, given its coordinates: the definition that the
  kernels are tested by, and what torch.export and torch.compile get.
"""


def sampling_calls(case, mode, times):
    """The variants of one case: functions without arguments that compute and return tensors."""
    import numpy as np
    from keras import ops
    from keras.backend import backend

    import keras_resample as kr
    from keras_resample.backend import reference
    from keras_resample.layers.samplers.flow_gradient import FLOW_UNIT, with_conditioned_gradient

    batch, height, size, channels, antialias, shared, wrt = CASES[case]
    batch *= times
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(batch, height, height, channels)).astype("float32")
    flow = rng.normal(0, 0.7, (1, size, size, 2)).astype("float32")
    grid = kr.ops.uniform_grid((size, size)) + ops.convert_to_tensor(flow / height)
    if not shared:
        maps = ops.softmax(rng.normal(size=(batch, *MAP)).astype("float32"), axis=(1, 2))
        grid = kr.ops.resize_grid(kr.ops.saliency_grid(maps, SIGMA), (size, size))
    grid = ops.convert_to_numpy(grid)
    pixels = np.clip(grid * height - 0.5, 0, height - 1).reshape(len(grid), -1, 1, 2)
    if antialias:
        cells = (height // size) ** 2
        pixels = np.repeat(pixels, cells, axis=2)
    images, grid, pixels = (
        ops.convert_to_tensor(value, "float32") for value in (images, grid, pixels)
    )
    upstream = ops.convert_to_tensor(rng.normal(size=(batch, size, size, channels)), "float32")

    def resize(images):
        return ops.image.resize(
            images, (size, size), "bilinear", antialias=antialias, data_format="channels_last"
        )

    def layer_of_flow():
        layer = kr.layers.FlowWarpDownsample(
            size=(size, size), antialias=antialias, data_format="channels_last"
        )
        layer.build(images.shape)
        layer.set_flow(flow[0])
        layer.trainable = bool(wrt)
        return layer

    def flow_warp():
        layer = layer_of_flow()

        def run(images, weights):
            if not wrt:
                return layer(images)
            output, _, losses = layer.stateless_call(
                [weights], [], images, return_losses=True, training=True
            )
            return output, sum(losses)

        upstreams = (upstream, ops.ones((), "float32"))
        return call(run, (images, ops.convert_to_tensor(layer.weights[0])), upstreams)

    def sample(images, grid):
        return kr.ops.sample(images, grid, antialias=antialias, data_format="channels_last")

    def four_takes(images, pixels):
        output = reference.bilinear(images, pixels)
        return ops.reshape(output, upstream.shape)

    def penalties():
        displacement = ops.convert_to_tensor(flow * size / height)
        return call(layer_of_flow().penalty, (displacement,), ops.ones(()), (0,), of_images=False)

    def conditioning():
        weights = ops.convert_to_tensor(flow[0] * (size / height / FLOW_UNIT))
        return call(with_conditioned_gradient, (weights,), (weights, ops.ones(())), (0,), False)

    def grid_sample(images, grid):
        from torch.nn.functional import grid_sample

        places = (2 * grid - 1).expand(batch, -1, -1, -1)
        samples = grid_sample(
            images.permute(0, 3, 1, 2), places, padding_mode="border", align_corners=False
        )
        return samples.permute(0, 2, 3, 1)

    def map_coordinates(images, grid):
        places = ops.transpose(ops.flip(grid[0], axis=-1) * height - 0.5, (2, 0, 1))
        planes = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, height, height))
        samples = ops.vectorized_map(
            lambda plane: ops.image.map_coordinates(plane, places, 1, "nearest"), planes
        )
        return ops.transpose(ops.reshape(samples, (batch, channels, size, size)), (0, 2, 3, 1))

    def call(function, given, upstream=upstream, gradient_to=(1,), of_images=True):
        if wrt:
            gradient_to = (0, *gradient_to) if wrt == "both" and of_images else gradient_to
            function = harness.with_gradient(function, upstream, gradient_to)
        else:
            function = harness.without_gradient(function)
        compiled = harness.compiled(function, mode)
        return lambda: compiled(*given)

    calls = {"resize": call(resize, (images,), gradient_to=() if wrt == "both" else (0,))}
    if shared:
        calls["FlowWarpDownsample"] = flow_warp()
    calls["ops.sample"] = call(sample, (images, grid))
    if shared and wrt == "grid":
        calls["penalties"], calls["conditioning"] = penalties(), conditioning()
    if backend() == "torch" and not antialias:
        calls["grid_sample"] = call(grid_sample, (images, grid))
    if case == MAPPED:
        calls["map_coordinates"] = call(map_coordinates, (images, grid))
    calls["four takes"] = call(four_takes, (images, pixels))
    return calls


def run_one(backend, threads, rounds, images, cases):
    """All measurements of one backend, in this process."""
    os.environ["KERAS_BACKEND"] = backend
    harness.use_threads(threads)
    result = {"backend": backend, "modes": {}}
    for mode in MODES[backend]:
        rows = []
        for case in CASES:
            uncompilable = (backend, mode) == ("tensorflow", "jit") and CASES[case][4]
            if cases not in case or uncompilable:
                continue
            calls = sampling_calls(case, mode, images)
            rows += [asdict(r) for r in harness.measure(case, calls, "resize", rounds)]
            print(harness.table(harness.Row(**r) for r in rows[-len(calls) :]), file=sys.stderr)
        result["modes"][mode] = rows
    result["machine"] = harness.machine()
    return result


def cell(case, variant, backend, rows, bars):
    """The ratio of a variant, with the bar behind it where it is measured on a CPU."""
    ratios = [r["ratio"] for r in rows if r["case"] == case and r["variant"] == variant]
    if not ratios:
        return ""
    has_bar = bars and case in BARS and variant in ("FlowWarpDownsample", "ops.sample")
    bar = f" ({BARS[case][harness.BACKENDS.index(backend)]})" if has_bar else ""
    return f"{ratios[0]:.2f}{bar}"


def report(results):
    """The Markdown page of the results."""
    lines = ["# How fast the sampler is", "", f"`{harness.command_line()}`", ""]
    lines += [f"* {r['backend']}: {r['machine']}" for r in results] + [""]
    if all("on the CPU" in r["machine"] for r in results):
        lines += [ON_CPU, ""]
    lines.append(NOTES)
    lines += ["## Over resize, and the bar to reach", ""]
    columns = [(r["backend"], mode) for r in results for mode in r["modes"]]
    lines += ["| case | variant | " + " | ".join(f"{b} {m}" for b, m in columns) + " |"]
    lines += ["|---" * (len(columns) + 2) + "|"]
    for case in CASES:
        for variant in VARIANTS:
            cells = [
                cell(case, variant, r["backend"], rows, "on the CPU" in r["machine"])
                for r in results
                for rows in r["modes"].values()
            ]
            if any(cells):
                lines.append(f"| {case} | {variant} | " + " | ".join(cells) + " |")
    for r in results:
        for mode, rows in r["modes"].items():
            lines += ["", f"## {r['backend']}, {mode}", ""]
            lines.append(harness.table(harness.Row(**row) for row in rows))
    return "\n".join(lines) + "\n"


def main():
    parser = harness.parser(__doc__, rounds=61)
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument(
        "--images", type=int, default=1, help="times as many images (a GPU: 8; default: 1)"
    )
    options = parser.parse_args()
    if options.json:
        chosen = (options.threads, options.rounds, options.images, options.cases)
        Path(options.json).write_text(json.dumps(run_one(options.backend, *chosen)))
        return
    parts = (("--backend", backend) for backend in harness.backends(options))
    results = [harness.in_a_process(__file__, *part) for part in parts]
    harness.write(report(results), options.output)


if __name__ == "__main__":
    main()
