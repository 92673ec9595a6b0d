"""Tries which model of the package becomes which kind of file, on which backend.

    python benchmarks/export_formats.py
    python benchmarks/export_formats.py --backend torch --formats onnx

Nothing is timed. Without `--backend` each of the installed ones runs in a process of its own.
"""

import argparse
import importlib.metadata
import json
import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

FORMATS = {"onnx": "ONNX", "openvino": "OpenVINO", "litert": "LiteRT", "torch": ".pt2"}
PACKAGES = (
    *("tensorflow", "jax", "torch", "tf2onnx", "jax2onnx", "onnxscript", "onnxruntime"),
    *("openvino", "ai-edge-litert"),
)
TOLERANCE = 1e-5
LONGEST = 300  # letters of a reason
BOLD = re.compile(r"\x1b\[[0-9;]*m")
FIXED = 3
ANY, ONE, NOT_RUN = "any batch", "fixed batch", "not run"
NOTES = f"""\
Each cell is an export by `kr.export.onnx`, `openvino`, `litert` or `torch` of a small model with
random weights, and what its file gave in a process without Keras: the largest difference from the
model, in units of the largest output, of 1, 2 and 5 images.

* "{ANY}": the file takes batches of any size. "{ONE}": only with `batch_size`, tried at {FIXED}.
* "no" with a number is an error of the export, which is listed below, and no file.
* "-": the format is not written on this backend. Load the `.keras` file on one where it is.
* A difference above {TOLERANCE:g} counts as an error here.
"""


def run_one(options):
    """The cells of one backend, in this process: `{system: {format: {"cell", "reason"}}}`."""
    os.environ["KERAS_BACKEND"] = options.backend
    from tests.export.systems import SYSTEMS

    cells = {}
    for system, (make, arguments) in SYSTEMS.items():
        model = make()
        cells[system] = {name: tried(model, name, arguments) for name in options.formats}
        print(options.backend, system, cells[system], file=sys.stderr)
    return {"backend": options.backend, "cells": cells}


def tried(model, name, arguments):
    """What an export of a model to a format gave."""
    reason = ""
    for batch_size, kind in ((None, ANY), (FIXED, ONE)):
        try:
            return {"cell": f"{kind}, {difference(model, name, batch_size, arguments):.0e}"}
        except ImportError as error:
            return {"cell": NOT_RUN, "reason": str(error)}
        except Exception as error:  # whatever it is belongs on the page
            if "are not written on" in str(error):
                return {"cell": "-"}
            reason = reason or f"{type(error).__name__}: {error}"
    return {"cell": "no", "reason": reason}


def difference(model, name, batch_size, arguments):
    """The largest difference of a file from the model, which is not too large, or an error."""
    import numpy as np

    import keras_resample as kr
    from tests.export.systems import FORMATS as SUFFIXES

    images = None
    if "image_size" in arguments:
        random = np.random.default_rng(0)
        images = random.random((5, *arguments["image_size"], 3), dtype="float32")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model{SUFFIXES[name]}")
        write = getattr(kr.export, name)
        write(model, path, batch_size=batch_size, check=False, **arguments)
        return kr.export.check(path, model, images, TOLERANCE)["largest_difference"]


def report(results, options):
    """The Markdown page of the results."""
    lines = ["# Which model becomes which file", "", f"`{harness.command_line()}`", ""]
    lines += [f"{versions()}.", "", NOTES]
    header = ["model", "backend", *(FORMATS[name] for name in options.formats)]
    lines += ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    reasons = []
    for system in results[0]["cells"]:
        for result in results:
            cells = [system, result["backend"]]
            for name in options.formats:
                cells.append(worded(result["cells"][system][name], reasons))
            lines.append("| " + " | ".join(cells) + " |")
    if reasons:
        lines += ["", "## What failed", ""]
        lines += [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join([*lines, ""])


def worded(tried, reasons):
    """A cell, with the number of its reason."""
    reason = tried.get("reason")
    if reason is None:
        return tried["cell"]
    reason = reason.rpartition("What failed: ")[2].partition(" Received: path")[0]
    reason = textwrap.shorten(BOLD.sub("", reason), LONGEST, placeholder=" ...")
    reason = reason.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
    if reason not in reasons:
        reasons.append(reason)
    return f"{tried['cell']} ({reasons.index(reason) + 1})"


def versions():
    """The packages that wrote and ran the files."""
    found = [("keras", importlib.metadata.version("keras"))]
    for package in PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append((package, "not installed"))
    return ", ".join(" ".join(pair) for pair in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=harness.BACKENDS, help="default: all installed")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--output", help="Markdown file to write (default: standard output)")
    parser.add_argument("--json", help=argparse.SUPPRESS)  # where a part of the results goes
    options = parser.parse_args()
    if options.json:
        Path(options.json).write_text(json.dumps(run_one(options)))
        return
    parts = (("--backend", backend) for backend in harness.backends(options))
    results = [harness.in_a_process(__file__, *part) for part in parts]
    harness.write(report(results, options), options.output)


if __name__ == "__main__":
    main()
