"""Times one step of ArcFace and of the sampled softmax, and measures their memory.

    python benchmarks/heads.py --output docs/results/heads.md
    python benchmarks/heads.py --backend jax --classes 10000 --memory-classes 0

Without `--backend` each of the three runs in a process of its own. With a GPU the same commands
measure there, in wall time.
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

MODES = {"torch": ("eager",), "tensorflow": ("graph", "jit"), "jax": ("jit",)}
DIM = 512
RATE = 0.1
STEP, SAMPLED = "step", "sampled softmax"
PLAIN, ARC, ONE_HOT = "matmul + cross-entropy", "ArcFace", "arccos + one-hot"
FULL, TENTH, SPREAD = "all classes", "10 % of them", "10 %, spread over all"
# (case, variant): the bars for torch, for tensorflow compiled by XLA, and for jax.
BARS = {(STEP, ARC): (2.2, 1.4, 2.0), (SAMPLED, TENTH): (0.3, 0.25, 0.25)}
MEMORY = (PLAIN, ARC, ONE_HOT, f"ArcFace, {TENTH}")
NOTES = """\
One step is forward and backward of head and cross-entropy, to the embeddings and to the kernel,
without the update of the optimizer. Bars are in brackets.

* "matmul + cross-entropy" is a plain softmax layer without bias on the same arrays. "arccos +
  one-hot" is ArcFace as its equations read: both sides normalised, the angle formed, the margin
  added to a one-hot mask of it, the cosine taken.
* The sampled softmax is ArcFace with `sample_rate=0.1`, drawing the classes included, over ArcFace
  with all of them. "spread" is what a Functional model gets: logits of all classes, those left out
  at -1e9; the other row is `training_logits`, which `Recognizer` uses.
* The ratio is the median over the rounds of CPU time over the baseline's in the same round, of wall
  time on a GPU; the quartiles are its spread.
* Memory is beyond kernel, embeddings and labels, the gradient of the kernel included: on jax
  temporaries and outputs of the compiled step by XLA's own analysis; else what the process grows by
  in its second step, on torch with a GPU its allocator. TensorFlow runs a graph, without oneDNN.
* glibc is told to ask for huge pages and to keep freed memory. Without them the page faults of a
  fresh gradient of 200 MB cost about as much as a matrix product, in every variant the same, which
  moves all ratios towards 1.
"""


def steps(classes, batch):
    """The variants of a step, functions of (embeddings, kernel, seed) -> loss, and their inputs."""
    import keras
    import numpy as np
    from keras import ops

    import keras_resample as kr

    rng = np.random.default_rng(0)
    labels = ops.convert_to_tensor(rng.integers(0, classes, batch), "int32")
    inputs = (
        ops.convert_to_tensor(rng.normal(size=(batch, DIM)), "float32"),
        keras.random.normal((classes, DIM), stddev=0.01, seed=1),
        ops.convert_to_tensor([1, 2], "uint32"),
    )

    def loss(labels, logits):
        return ops.mean(
            keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        )

    def plain(embeddings, kernel, seed):
        return loss(labels, ops.matmul(embeddings, ops.transpose(kernel)))

    def one_hot(embeddings, kernel, seed):
        embeddings = embeddings / ops.norm(embeddings, axis=1, keepdims=True)
        kernel = kernel / ops.norm(kernel, axis=1, keepdims=True)
        cosines = ops.clip(ops.matmul(embeddings, ops.transpose(kernel)), -1 + 1e-6, 1 - 1e-6)
        mask = ops.one_hot(labels, classes)
        return loss(labels, 64.0 * ops.cos(ops.arccos(cosines) + 0.5 * mask))

    def arc_face(compact=True, **arguments):
        # Built without weights of its own: those of the call are used instead.
        head = kr.heads.ArcFace(classes, kernel_initializer="zeros", **arguments)
        head.build((batch, DIM))

        def step(embeddings, kernel, seed):
            mapping = [(head.kernel, kernel)]
            if head.sample_rate < 1:
                mapping.append((head.seed_generator.state, seed))
            with keras.StatelessScope(state_mapping=mapping):
                if compact:
                    logits, columns = head.training_logits(embeddings, labels)
                else:
                    logits, columns = head(embeddings, labels, training=True), labels
            return loss(columns, logits)

        return step

    makers = {
        PLAIN: lambda: plain,
        ARC: arc_face,
        ONE_HOT: lambda: one_hot,
        FULL: arc_face,
        TENTH: lambda: arc_face(sample_rate=RATE),
        SPREAD: lambda: arc_face(sample_rate=RATE, compact=False),
        f"ArcFace, {TENTH}": lambda: arc_face(sample_rate=RATE),
    }
    return makers, inputs


def timed(classes, batch, rounds, mode):
    """Rows of both cases."""
    from keras import ops

    makers, inputs = steps(classes, batch)

    def call(name):
        step = harness.with_gradient(makers[name](), ops.ones((), "float32"), (0, 1))
        compiled = harness.compiled(step, mode)
        return lambda: compiled(*inputs)

    rows = []
    for case, names in ((STEP, (PLAIN, ARC, ONE_HOT)), (SAMPLED, (FULL, TENTH, SPREAD))):
        calls = {name: call(name) for name in names}
        rows += harness.measure(case, calls, baseline=names[0], rounds=rounds, warm_up=2)
    return rows


def memory(classes, batch, name):
    """Bytes that one step of a variant takes beyond its inputs."""
    import keras
    from keras import ops

    makers, inputs = steps(classes, batch)
    step = harness.with_gradient(makers[name](), ops.ones((), "float32"), (0, 1))
    backend = keras.backend.backend()
    if backend == "jax":
        found = harness.compiled(step, "jit").lower(*inputs).compile().memory_analysis()
        return found.temp_size_in_bytes + found.output_size_in_bytes
    if backend == "torch" and harness.on_gpu():
        import torch

        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        outputs = step(*inputs)
        harness.synchronize(outputs)
        return torch.cuda.max_memory_allocated() - before
    step = harness.compiled(step, MODES[backend][0])
    step(*inputs)
    return harness.peak_growth(lambda: step(*inputs))


def run_one(options):
    """What a process of its own measures: a dict."""
    os.environ["KERAS_BACKEND"] = options.backend
    harness.use_threads(options.threads)
    if options.memory_of:
        return {"bytes": memory(options.memory_classes, options.batch, options.memory_of)}
    rows = {
        mode: [asdict(row) for row in timed(options.classes, options.batch, options.rounds, mode)]
        for mode in MODES[options.backend]
    }
    return {"backend": options.backend, "machine": harness.machine(), "modes": rows}


# Or the page faults of a fresh gradient of 200 MB cost as much as a product.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def report(options, results, memories):
    """The Markdown page of the results."""
    lines = ["# How fast the heads are", "", f"`{harness.command_line()}`", ""]
    lines += [f"* {r['backend']}: {r['machine']}" for r in results]
    lines += ["", f"{options.classes} classes, {DIM} dimensions, batches of {options.batch}.", ""]
    lines += [NOTES, "## Over the baseline, and the bar to reach", ""]
    columns = [(r["backend"], mode) for r in results for mode in r["modes"]]
    lines += ["| case | variant | " + " | ".join(f"{b} {m}" for b, m in columns) + " |"]
    lines += ["|---" * (len(columns) + 2) + "|"]
    found = {
        (row["case"], row["variant"], r["backend"], mode): row["ratio"]
        for r in results
        for mode, rows in r["modes"].items()
        for row in rows
    }
    for case, variant in dict.fromkeys(key[:2] for key in found):
        cells = []
        for backend, mode in columns:
            bars = BARS.get((case, variant)) if mode != "graph" else None
            bar = f" ({bars[harness.BACKENDS.index(backend)]})" if bars else ""
            cells.append(f"{found[case, variant, backend, mode]:.2f}{bar}")
        lines.append(f"| {case} | {variant} | " + " | ".join(cells) + " |")
    if memories:
        backends = [r["backend"] for r in results]
        lines += ["", f"## MB of one step with {options.memory_classes} classes", ""]
        lines += ["| variant | " + " | ".join(backends) + " |", "|---" * (len(backends) + 1) + "|"]
        for name in MEMORY:
            cells = [f"{memories[backend, name] / 1e6:.0f}" for backend in backends]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for r in results:
        for mode, rows in r["modes"].items():
            lines += ["", f"## {r['backend']}, {mode}", ""]
            lines.append(harness.table(harness.Row(**row) for row in rows))
    return "\n".join(lines) + "\n"


def main():
    parser = harness.parser(__doc__, rounds=9)
    parser.add_argument("--classes", type=int, default=100_000, help="(default: 100000)")
    parser.add_argument("--batch", type=int, default=128, help="(default: 128)")
    parser.add_argument(
        "--memory-classes", type=int, default=1_000_000, help="0 is not at all (default: 1000000)"
    )
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.json:
        Path(options.json).write_text(json.dumps(run_one(options)))
        return
    backends = harness.backends(options)
    steady = harness.STEADY_MEMORY | HUGE_PAGES
    results = [
        harness.in_a_process(__file__, "--backend", backend, environment=steady)
        for backend in backends
    ]
    memories = {}
    if options.memory_classes:
        for backend in backends:
            for name in MEMORY:
                arguments = (__file__, "--backend", backend, "--memory-of", name)
                part = harness.in_a_process(*arguments, environment=harness.EXACT_MEMORY)
                memories[backend, name] = part["bytes"]
    harness.write(report(options, results, memories), options.output)


if __name__ == "__main__":
    main()
