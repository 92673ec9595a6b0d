"""The names of the networks that are compared."""

ADAPTIVE = "local-adaptive"
# Without a local branch, then with one: the rows of Table 3, and two more.
METHODS = (
    "stride",
    "adaptive",
    "local-stride",
    "local-center-crop",
    "local-spatial-transformer",
    "local-region",
    ADAPTIVE,
)
TITLES = {
    "stride": "stride (baseline)",
    "local-stride": "local branch, stride",
    "local-center-crop": "local branch, centre crop",
    "local-spatial-transformer": "local branch, Spatial Transformer",
    "local-region": "local branch, RP",
}
# Of the baseline with adaptive pooling in Conv4, and of several local branches, as in the paper.
BASELINE_K, SEVERAL_K = 0.9, 0.5


def variants(methods, k, local_branches):
    """The names of all trainings: adaptive pooling with each k, and with several branches."""
    for method in methods:
        if method != ADAPTIVE:
            yield method
            continue
        yield from (f"{method} {value:g}" for value in k)
        yield from (f"{method} {SEVERAL_K:g} x{count}" for count in local_branches if count > 1)


def parts(name):
    """Method, k or None, and number of local branches, of the name of a training."""
    method, *more = name.split()
    if method == "adaptive":
        return method, BASELINE_K, 0
    if method != ADAPTIVE:
        return method, None, int(method.startswith("local"))
    count = int(more[1].removeprefix("x")) if len(more) > 1 else 1
    return method, float(more[0]), count


def title(name):
    """Name of a training in tables and pictures."""
    method, k, count = parts(name)
    if k is None:
        return TITLES[method]
    branches = {0: "baseline with", 1: "local branch,"}.get(count, f"{count} local branches,")
    return f"{branches} ARP k={k:g}"


def order(name):
    """Sorts names as the tables have them."""
    method, k, count = parts(name)
    return METHODS.index(method), count, k or 0.0
