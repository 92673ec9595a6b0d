"""A small harness for timing variants of one computation against a named baseline.

The variants run one after the other in every round, in one process, so that a slow moment of a
shared machine hits all of them. Each is called twice in its turn and timed the second time: none
pays for what the one before it left in caches and allocator, and no quick one is timed in a longer
row of its own calls than a slow one. A ratio is the median over the rounds of "this variant / the
baseline of the same round"; the spread is the quartiles of that ratio. Call `use_threads` before
importing keras.
"""

import argparse
import importlib.util
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BACKENDS = ("torch", "tensorflow", "jax")

# For a process to measure in: glibc keeps what is freed, or a variant pays in page faults for what
# another one returned to the system. Other allocators ignore it.
STEADY_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(8 << 30)}

# For a process to measure memory in: what is freed returns to the system. The allocator that oneDNN
# brings into TensorFlow would keep it.
EXACT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "0",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


@dataclass
class Row:
    """The measurement of one variant: milliseconds per call and its ratio to the baseline."""

    case: str
    variant: str
    wall_ms: float
    cpu_ms: float
    ratio: float
    low: float
    high: float


def parser(description, rounds):
    """The arguments that every benchmark of the backends has."""
    result = argparse.ArgumentParser(description=description.splitlines()[0])
    result.add_argument(
        "--backend", choices=BACKENDS, help="only this one (default: all installed)"
    )
    result.add_argument(
        "--threads", type=int, default=1, help="cores to use; 0 is all (default: 1)"
    )
    result.add_argument(
        "--rounds", type=int, default=rounds, help="timings per variant (default: %(default)s)"
    )
    result.add_argument("--output", help="Markdown file to write (default: standard output)")
    result.add_argument("--json", help=argparse.SUPPRESS)  # where a part of the results goes
    return result


def backends(options):
    """The backends to measure, those of `parser`."""
    if options.backend:
        return (options.backend,)
    return tuple(name for name in BACKENDS if importlib.util.find_spec(name))


def in_a_process(script, *arguments, environment=None):
    """What `script` writes to its `--json` in a process with these further arguments.

    Args:
        environment: variables of the process, by default `STEADY_MEMORY`.
    """
    environment = os.environ | (STEADY_MEMORY if environment is None else environment)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "part.json")
        command = [sys.executable, script, *sys.argv[1:], *arguments, "--json", str(part)]
        subprocess.run(command, check=True, env=environment)
        return json.loads(part.read_text())


def write(page, output):
    """Writes a page to the file `output`, or to standard output."""
    if output:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text(page)
    else:
        print(page)


def use_threads(count):
    """Binds the process to `count` cores; the frameworks then start that many threads."""
    if count and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-count:])
    if count:
        os.environ["OMP_NUM_THREADS"] = str(count)


def on_gpu():
    """Whether the backend of Keras computes on a GPU."""
    import keras

    zero = keras.ops.zeros(())
    device = zero.device() if callable(getattr(zero, "device", "")) else zero.device
    return "gpu" in str(device).lower() or "cuda" in str(device).lower()


def device():
    """The GPU that the backend computes on, or "the CPU"."""
    import keras

    if not on_gpu():
        return "the CPU"
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.get_device_name()
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    gpu = tf.config.list_physical_devices("GPU")[0]
    return tf.config.experimental.get_device_details(gpu)["device_name"]


def synchronize(outputs):
    """Waits until `outputs` are computed."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        jax.block_until_ready(outputs)
    elif keras.backend.backend() == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
    elif on_gpu():
        import tensorflow as tf

        tf.experimental.sync_devices()


def resident(name):
    """A line of /proc/self/status in bytes: VmRSS now, VmHWM at most since it was forgotten."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no line {name}")


def peak_growth(call):
    """Bytes by which the memory of this process exceeds that before `call`, at most (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = resident("VmRSS")
    synchronize(call())
    return resident("VmHWM") - before


def compiled(function, mode):
    """Wraps `function`: "eager", "graph" (TensorFlow) or "jit" (XLA, on torch torch.compile)."""
    import keras

    backend = keras.backend.backend()
    if mode == "eager":
        return function
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=mode == "jit")
    if backend == "jax":
        import jax

        return jax.jit(function)
    import torch

    return torch.compile(function)


def with_gradient(function, upstream, wrt):
    """Returns `(*tensors) -> (output, gradients)` for the tensors at the positions `wrt`.

    `upstream` has the structure of the output: a tensor, or a tuple of them.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def run(*tensors):
            watched = [tensors[i] for i in wrt]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                output = function(*tensors)
            return output, tape.gradient(output, watched, output_gradients=upstream)

    elif backend == "jax":
        import jax

        def run(*tensors):
            def of_watched(*watched):
                full = list(tensors)
                for position, value in zip(wrt, watched, strict=True):
                    full[position] = value
                return function(*full)

            output, pull_back = jax.vjp(of_watched, *[tensors[i] for i in wrt])
            return output, pull_back(upstream)

    else:
        import torch

        def run(*tensors):
            leaves = [t.detach().requires_grad_(i in wrt) for i, t in enumerate(tensors)]
            with torch.enable_grad():
                output = function(*leaves)
                gradients = torch.autograd.grad(output, [leaves[i] for i in wrt], upstream)
            return output, gradients

    return run


def without_gradient(function):
    """Runs `function` as inference does: on torch, outside of autograd."""
    import keras

    if keras.backend.backend() != "torch":
        return function
    import torch

    return torch.inference_mode()(function)


def measure(case, variants, baseline, rounds=25, warm_up=4, settle=True):
    """Times the calls in `variants`, a dict name -> function without arguments.

    Args:
        case: what is measured, the first column of the table.
        variants: dict, name -> a function that computes and returns tensors.
        baseline: the name of the variant the ratios refer to.
        rounds: how often every variant is timed.
        warm_up: calls of each variant before (tracing, compilation, caches).
        settle: whether an untimed call goes before each timed one; calls of seconds need none.

    Returns:
        One `Row` per variant. Ratios are of CPU time, and of wall time on a GPU.
    """
    use_wall = on_gpu()
    walls, cpus = ({name: [] for name in variants} for _ in range(2))
    for call in variants.values():
        for _ in range(warm_up):
            synchronize(call())
    for _ in range(rounds):
        for name, call in variants.items():
            if settle:
                synchronize(call())
            wall, cpu = time.perf_counter(), time.process_time()
            synchronize(call())
            cpus[name].append(time.process_time() - cpu)
            walls[name].append(time.perf_counter() - wall)
    times = walls if use_wall else cpus
    rows = []
    for name in variants:
        ratios = [a / b for a, b in zip(times[name], times[baseline], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
        rows.append(Row(case, name, wall * 1000, cpu * 1000, middle, low, high))
    return rows


def machine():
    """One line that describes the machine and the versions."""
    import keras

    from keras_resample.machine import cores, processor

    backend = keras.backend.backend()
    module = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}[backend]
    version = __import__(module).__version__
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{processor()}, {cores()} of {os.cpu_count()} cores used{load}, computed on {device()}; "
        f"Python {platform.python_version()}, keras {keras.__version__}, {module} {version}"
    )


def table(rows):
    """A Markdown table of `rows`."""
    lines = [
        "| case | variant | wall ms | CPU ms | ratio | quartiles |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r.case} | {r.variant} | {r.wall_ms:.2f} | {r.cpu_ms:.2f} | {r.ratio:.2f} "
            f"| {r.low:.2f}-{r.high:.2f} |"
        )
    return "\n".join(lines)


def command_line():
    """The command line that started the process, as typed."""
    return shlex.join(["python", *sys.argv])
