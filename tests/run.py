"""Run the whole test suite on TensorFlow, JAX and PyTorch, then ruff.

    python tests/run.py                         everything
    python tests/run.py --backend torch         one backend (repeat for more)
    python tests/run.py tests/layers -k flow    other arguments go to pytest

Each backend runs in a process of its own and leaves files that the others load and compare
(`tests/exchange`). The exit status is 0 only if everything passed and something was tested.
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BACKENDS = ("tensorflow", "jax", "torch")
NO_TESTS_COLLECTED = 5
SLOWEST = 10
LINT = (("ruff", "check", "."), ("ruff", "format", "--check", "."))


class Report:
    """Lines and totals of the closing summary."""

    def __init__(self):
        self.lines, self.passed, self.failed = [], 0, 0
        self.seconds = collections.Counter()  # of each file of tests, all backends together

    def add(self, name, passed, failed, note, seconds):
        self.passed += passed
        self.failed += failed
        self.lines.append(
            f"{name:<20} {passed:>5} passed {failed:>4} failed {note:<14} {seconds:>5.0f} s"
        )

    def __str__(self):
        lines = list(self.lines)
        if self.seconds:
            lines += ["", "Slowest files, seconds of their tests on all backends:"]
            lines += [f"{s:>6.0f} s  {name}.py" for name, s in self.seconds.most_common(SLOWEST)]
        return "\n".join([*lines, f"{self.passed} passed, {self.failed} failed"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="default: all")
    parser.add_argument(
        "--workers",
        type=int,
        default=min(4, os.cpu_count() or 1),
        help="processes for each backend (default: one a core, at most %(default)s here)",
    )
    options, arguments = parser.parse_known_args()
    backends = [b for b in BACKENDS if b in (options.backend or BACKENDS)]
    workers = ["-n", str(options.workers), "--dist", "worksteal"] if options.workers > 1 else []

    report = Report()
    with tempfile.TemporaryDirectory(prefix="keras_resample_tests_") as folder:
        exchange = pathlib.Path(folder, "exchange")
        settings = {
            "KERAS_HOME": folder,  # a personal keras.json must not change the suite
            "KERAS_RESAMPLE_EXCHANGE": str(exchange),
            "KERAS_RESAMPLE_EXCHANGE_BACKENDS": ",".join(backends),
            # The processes of one backend need not compile what another one has.
            "JAX_COMPILATION_CACHE_DIR": str(pathlib.Path(folder, "jax")),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        for backend in backends:
            command = [*workers, "--ignore=tests/exchange", *arguments]
            run_pytest(report, backend, backend, command, settings)
        if len(backends) > 1 and (exchange.exists() or not arguments):
            for backend in backends:
                run_pytest(report, f"{backend} exchange", backend, ["tests/exchange"], settings)
    if not arguments:
        for command in LINT:
            run_tool(report, command)

    print(f"\n{report}")
    return 1 if report.failed or not report.passed else 0


def run_pytest(report, name, backend, arguments, settings):
    """One pytest process; its junit file gives the counts, its exit status the last word."""
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder, "results.xml")
        command = [sys.executable, "-m", "pytest", f"--junitxml={results}", *arguments]
        status = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **settings, "KERAS_BACKEND": backend}
        ).returncode
        passed, failed, skipped = counts(results)
        report.seconds.update(seconds_of_files(results))
    note = f"{skipped:>4} skipped"
    if status and not failed:
        failed = 1
        note = "no tests found" if status == NO_TESTS_COLLECTED else f"exit status {status}"
    report.add(name, passed, failed, note, time.monotonic() - began)


def counts(results):
    """Numbers of passed, failed and skipped tests in a junit file; zeros if there is none."""
    if not results.exists():
        return 0, 0, 0
    suites = xml.etree.ElementTree.parse(results).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def seconds_of_files(results):
    """Seconds of the tests of each file in a junit file, set-up included."""
    seconds = collections.Counter()
    if results.exists():
        for case in xml.etree.ElementTree.parse(results).getroot().iter("testcase"):
            seconds[case.get("classname", "").replace(".", "/")] += float(case.get("time", 0))
    return seconds


def run_tool(report, command):
    name = " ".join(command[:2])
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    failed = subprocess.run([sys.executable, "-m", *command], cwd=ROOT).returncode != 0
    report.add(name, int(not failed), int(failed), "", time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
