"""Where to look: by a flow or by saliency, learned once or predicted for every image.

    python examples/compare_samplers.py
    python examples/compare_samplers.py --images faces.npz --factor 0.25 --epochs 30 --seeds 0 1 2
    python examples/compare_samplers.py --front-ends uniform-antialiased flowwarp-antialiased

Table 5 of "Beyond Predictive Resampling" on any images: `python -m keras_resample compare` with
other front ends. A recognizer is trained on half of the identities behind each sampler, and
verifies all pairs of images of the other half. Saliency is that of "Learning to Zoom" and, under
the name of Jin, that of "Learning to Downsample": its network and its narrower window. What they
have to beat is beside them: uniform resizing, plain and filtered, and a centred crop.
"""

import runpy
import sys

FRONT_ENDS = """
    saliency-learned saliency-predicted saliency-of-jin-learned saliency-of-jin-predicted flowwarp
    flow-predicted uniform uniform-antialiased
    uniform-mean-of-cell crop-10 crop-20
"""
DEFAULTS = f"--front-ends {FRONT_ENDS} --epochs 15 --margin 0.2 --out runs/compare_samplers"
PALMPRINTS = "--size 64 64 --identities 60 --images-per-identity 12"

if __name__ == "__main__":
    drawn = [] if "--images" in sys.argv else PALMPRINTS.split()
    sys.argv[1:1] = ["compare", *DEFAULTS.split(), *drawn]
    runpy.run_module("keras_resample", run_name="__main__")
