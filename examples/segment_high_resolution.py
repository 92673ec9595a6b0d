"""Segments large images at a small size: uniform, edge-based, interpolated and learned sampling.

    python examples/segment_high_resolution.py
    python examples/segment_high_resolution.py --camvid DIR --sizes 45x60 90x120 --seeds 0 1 2
    python examples/segment_high_resolution.py --methods uniform-antialiased joint --loss focal

The same as `python -m keras_resample compare segmentation`, whose `--help` shows all options.
Table, numbers and pictures are in OUT (results.md, results.json, figures). A run that was stopped
goes on.
"""

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["compare", "segmentation"]
    runpy.run_module("keras_resample", run_name="__main__")
