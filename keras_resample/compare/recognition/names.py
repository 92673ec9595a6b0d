"""The names of the front ends that are compared."""

import re

# What `antialias=True` of a sampler does, at the uniform grid.
MEAN = "uniform (mean of cell)"
# Centred crops that are read so, and the part of the side that each leaves out at every edge.
CROPS = {"crop 10 %": 0.1, "crop 20 %": 0.2}
# Those that a search tries, and what it finds: one of them, by its name in the table.
SEARCHED = {f"crop {percent} %": percent / 100 for percent in range(0, 30, 5)}
BEST_CROP = "best crop"
FIXED = ("uniform", "uniform antialiased", MEAN, *CROPS)
# What a front end that moves is set against: plain resizing where it is plain, else what filters.
BASELINES = {False: ("uniform",), True: ("uniform antialiased", MEAN, *CROPS, BEST_CROP)}
FULL = "full resolution"
LEARNED = ("FlowWarp", "FlowWarp antialiased")
DEFAULT = (*FIXED, *LEARNED, FULL)
# Grids of one image each are predicted by a network, those of all images learned.
OTHERS = (
    "flow predicted",
    "saliency learned",
    "saliency predicted",
    "saliency of Jin learned",
    "saliency of Jin predicted",
)
FRONT_ENDS = (*DEFAULT, *(name + end for name in OTHERS for end in ("", " antialiased")))


def option(name):
    """Name of a front end on the command line: its words and numbers."""
    return "-".join(re.findall(r"\w+", name.lower()))


OPTIONS = {option(name): name for name in FRONT_ENDS}
