"""The names of the front ends that are compared."""

UNIFORM = ("uniform", "uniform antialiased")
FULL = "full resolution"
LEARNED = ("FlowWarp", "FlowWarp antialiased")
DEFAULT = (*UNIFORM, *LEARNED, FULL)
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
    """Name of a front end on the command line."""
    return name.lower().replace(" ", "-")


OPTIONS = {option(name): name for name in FRONT_ENDS}
