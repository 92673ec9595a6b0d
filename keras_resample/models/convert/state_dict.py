"""Reading published weight files into a plain dict of arrays, without running code from them."""

import os
import pathlib
import pickle
from collections.abc import Mapping

import numpy as np

from keras_resample.arguments import check_file

# Where training scripts keep the weights of the network among other things.
CONTAINERS = ("state_dict_backbone", "state_dict")
TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")


def read(source):
    """The tensors of a file or a mapping, by name, as float arrays; counters are left out.

    Args:
        source: Path of a `.safetensors`, `.pt`, `.pth`, `.ckpt` or `.bin` file, or a mapping of
            names to arrays or tensors, or one that holds such a mapping under `state_dict`.

    Returns:
        Dict of NumPy arrays. Half precision becomes float32.

    Raises:
        ValueError: For what cannot be read as tensors.
    """
    if not isinstance(source, Mapping):
        source = _read_file(source)
    for name in CONTAINERS:
        if isinstance(source.get(name), Mapping):
            source = source[name]
            break
    tensors = {}
    for name, value in source.items():
        if not isinstance(name, str) or not hasattr(value, "shape"):
            raise ValueError(
                "`path_or_state_dict` must hold named tensors, as they are or under "
                f"'state_dict'. Received: {name!r}: {type(value).__name__}"
            )
        if not name.endswith("num_batches_tracked"):
            tensors[name] = _to_numpy(value)
    return tensors


def _read_file(path):
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(
            "`path_or_state_dict` must be a path or a mapping of names to arrays. "
            f"Received: {type(path).__name__}"
        )
    path = pathlib.Path(path)
    check_file(path, "a file", "path_or_state_dict")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in TORCH_SUFFIXES:
        return _read_torch(path)
    raise ValueError(
        f"`path_or_state_dict` must end in .safetensors or {', '.join(TORCH_SUFFIXES)}. "
        f"Received: {str(path)!r}"
    )


def _read_safetensors(path):
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Reading .safetensors files needs safetensors: pip install safetensors"
        ) from error
    try:
        return safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"`path_or_state_dict` is no intact .safetensors file ({error}). "
            f"Received: {str(path)!r}"
        ) from error


def _read_torch(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"Reading {path.suffix} files needs PyTorch, whatever the Keras backend: "
            "pip install torch"
        ) from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(
            "`path_or_state_dict` holds more than tensors, or is damaged; nothing in it was run. "
            "If its origin is trusted, read it with `torch.load(path, map_location='cpu', "
            "weights_only=False)` and give the state_dict found in it. "
            f"Received: {str(path)!r} ({str(error).splitlines()[0] if str(error) else error!r})"
        ) from error
    if not isinstance(found, Mapping):
        raise ValueError(
            "`path_or_state_dict` must hold a state_dict. "
            f"Received: {str(path)!r} with a {type(found).__name__}"
        )
    return found


def _to_numpy(value):
    if hasattr(value, "detach"):  # a torch tensor; NumPy has no bfloat16
        value = value.detach().cpu()
        value = (value.float() if value.itemsize < 4 else value).numpy()
    array = np.asarray(value)
    half = array.dtype == np.float16 or array.dtype.name == "bfloat16"
    return array.astype("float32") if half else array
