"""The deterministic weights and images of `goldens/checkpoints.npz`."""

import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "goldens" / "checkpoints.npz"


def golden(architecture):
    """The arrays of one architecture by name, and the seed."""
    with np.load(FILE) as file:
        start = f"{architecture}/"
        arrays = {n[len(start) :]: file[n] for n in file.files if n.startswith(start)}
        return {**arrays, "seed": int(file["seed"]), "input_crc32": int(file["input_crc32"])}


def torch_shapes(architecture):
    """Shape of every tensor of the authors' state_dict, in its order."""
    lines = golden(architecture)["keys"].item().split("\n")
    parts = [line.split("|") for line in lines]
    return {name: tuple(map(int, shape.split(","))) if shape else () for name, _, shape in parts}


def fill(name, shape, names, seed, gain=1.0):
    """A tensor from its torch name and shape alone."""
    stem, _, leaf = name.rpartition(".")
    if leaf == "num_batches_tracked":
        return np.zeros((), "int64")
    n = np.random.RandomState(zlib.crc32(name.encode()) ^ seed).standard_normal(shape)
    if name == "pos_embed":
        return (0.02 * n).astype("float32")
    if stem == "keypoint_linear":
        return (0.1 * n).astype("float32")
    if name.endswith("mlp.fc1.weight"):
        gain = 3.0
    if leaf in ("running_mean", "bias"):
        n = 0.05 * n
    elif leaf == "running_var":
        n = 1 + 0.2 * np.abs(n)
    elif len(shape) > 1:
        n = gain * n / np.sqrt(np.prod(shape[1:]))
    else:
        n = 1 + 0.1 * n if f"{stem}.bias" in names else 0.25 + 0.05 * n
    return n.astype("float32")


def state_dict(architecture, thinner=1):
    """The filled tensors of an architecture, with its channels divided by `thinner`."""
    shapes = torch_shapes(architecture)
    gain = 1.2 if "mobilefacenet" in architecture else 1.0
    seed = golden(architecture)["seed"]
    return {
        name: fill(name, tuple(n // thinner if n >= 64 else n for n in shape), shapes, seed, gain)
        for name, shape in shapes.items()
    }


def keypoints(seed):
    """(2, 5, 2), relative (x, y)."""
    return np.random.RandomState(seed + 2).uniform(0.2, 0.8, (2, 5, 2)).astype("float32")


def images(seed):
    """(2, 3, 112, 112), as torch takes them."""
    return np.random.RandomState(seed + 1).uniform(-1, 1, (2, 3, 112, 112)).astype("float32")
