"""The names of the methods that are compared."""

EDGE_BASED = "edge-based"
FULL = "full"
MEAN = "uniform-mean-of-cell"
METHODS = (
    "uniform",
    "uniform-antialiased",
    MEAN,
    EDGE_BASED,
    f"{EDGE_BASED}-antialiased",
    "interpolation",
    "single",
    "single-antialiased",
    "joint",
    "joint-antialiased",
    FULL,
)
TITLES = {"interpolation": "interpolation (LearnedResizer)", "full": "full resolution"}
TITLES |= {MEAN: "uniform (mean of cell)", "single": "single loss", "joint": "joint loss"}
DEFAULT = tuple(name for name in METHODS if name not in (f"{EDGE_BASED}-antialiased", FULL))


def variants(methods, blur_radii):
    """The names of all trainings: edge-based sampling with each of its blur radii."""
    for method in methods:
        if method.startswith(EDGE_BASED):
            yield from (f"{method} {radius:g}" for radius in blur_radii)
        else:
            yield method


def parts(name):
    """Method, whether antialiased, and blur radius or None, of the name of a training."""
    name, _, radius = name.partition(" ")
    antialias = name.endswith("-antialiased")
    return name.removesuffix("-antialiased"), antialias, float(radius) if radius else None


def title(name):
    """Name of a training in tables and pictures."""
    method, antialias, radius = parts(name)
    text = TITLES.get(method, method) + (" antialiased" if antialias else "")
    return text if radius is None else f"{text}, blur {radius:g}"
