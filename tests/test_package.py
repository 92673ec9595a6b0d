"""What the package promises as a whole: imports, public surface, documentation, metadata."""

import ast
import inspect
import os
import pathlib
import subprocess
import sys
import tomllib
import types

import keras
import pytest

import keras_resample.compare  # which `keras_resample` does not import

ROOT = pathlib.Path(keras_resample.__file__).resolve().parent.parent
FILES = sorted((ROOT / "keras_resample").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FRAMEWORKS = {"tensorflow", "jax", "torch"}
OPTIONAL = {"matplotlib", "PIL", "sklearn", "scipy", "pandas", "safetensors"}
OPTIONAL |= {"keras_cv", "keras_hub"}
LONGEST_FILE = 320
INTERNAL = {"backend", "commands"}
# Methods that Keras documents; a layer only fills them in.
KERAS_METHODS = {"build", "call", "get_config", "from_config", "compute_output_shape",
                 "compute_output_spec", "get_build_config", "build_from_config", "compute_loss",
                 "train_step", "test_step", "update_state", "result", "reset_state",
                 "on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end",
                 "set_model", "set_params", "add_loss"}  # fmt: skip

IMPORT_WITHOUT_OPTIONAL_PACKAGES = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import keras_resample
for name in keras_resample.__dict__.copy():
    getattr(keras_resample, name)
print(keras_resample.__version__)
"""


def name_of(path):
    return str(path.relative_to(ROOT))


def public_modules():
    """The package and its public subpackages."""
    members = vars(keras_resample).items()
    packages = [m for n, m in members if hasattr(m, "__path__") and n not in INTERNAL]
    return [keras_resample, *packages, keras_resample.models.convert]


def public_objects():
    """Name and object of everything a user can reach as `keras_resample.<part>.<name>`."""
    result = {}
    for module in public_modules():
        for name, value in vars(module).items():
            if name.startswith("_") or isinstance(value, types.ModuleType):
                continue
            if getattr(value, "__module__", "").startswith("keras_resample"):
                result[f"{module.__name__}.{name}"] = value
    return result


PUBLIC = public_objects()
CLASSES = {name: value for name, value in PUBLIC.items() if isinstance(value, type)}


def test_import_needs_no_optional_package():
    """The import works where nothing but Keras, numpy and the chosen backend is installed."""
    blocked = (FRAMEWORKS | OPTIONAL) - {keras.backend.backend()}
    if keras.backend.backend() == "jax":
        blocked -= {"scipy"}  # JAX itself needs it.
    code = IMPORT_WITHOUT_OPTIONAL_PACKAGES.format(blocked=sorted(blocked))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == keras_resample.__version__


def imported_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_source_file(path):
    """Short, documented, and importing only what its place in the package allows."""
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) < LONGEST_FILE, f"{len(text.splitlines())} lines"
    assert ast.get_docstring(tree) or path.name == "version.py", "no module docstring"
    imported = set(imported_names(tree))
    private = sorted(name for name in imported if name.startswith("keras.src"))
    assert not private, f"private Keras modules: {private}"
    part = path.relative_to(ROOT / "keras_resample").as_posix()
    if not part.startswith(("backend/", "export/", "models/convert/")):
        frameworks = sorted(name for name in imported if name.partition(".")[0] in FRAMEWORKS)
        assert not frameworks, f"only backend/, export/ and models/convert/ may: {frameworks}"


def test_version():
    assert keras_resample.__version__.count(".") == 2
    assert all(part.isdigit() for part in keras_resample.__version__.split("."))


def test_public_surface_is_found():
    assert {"keras_resample.layers.FlowWarpDownsample", "keras_resample.ops.sample"} <= set(PUBLIC)


@pytest.mark.parametrize("name", sorted(n for n in CLASSES if hasattr(CLASSES[n], "get_config")))
def test_class_is_registered(name):
    cls = CLASSES[name]
    registered = keras.saving.get_registered_name(cls)
    # The name is written into users' files: it must never change.
    assert registered == f"keras_resample>{cls.__name__}"
    assert keras.saving.get_registered_object(registered) is cls


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_module_has_a_docstring(module):
    assert inspect.getdoc(module)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_is_documented(name):
    value = PUBLIC[name]
    if not (isinstance(value, type) or inspect.isroutine(value)):
        return
    text = value.__doc__ or ""
    assert text.strip(), "no docstring"
    is_variant = text.startswith("`")  # One line such as "`IResNet` with 2, 2, 2, 2 blocks."
    assert is_variant or ">>>" in text, "the docstring has no example"
    if isinstance(value, type):
        undocumented = [
            member
            for member, method in vars(value).items()
            if member[0] != "_"
            and member not in KERAS_METHODS
            and isinstance(method, (types.FunctionType, property, classmethod, staticmethod))
            and not inspect.getdoc(getattr(value, member))
        ]
        assert not undocumented, f"no docstring: {undocumented}"


def requirement_names(requirements):
    return {r.partition("[")[0].rstrip("0123456789.*<>=!~, ") for r in requirements}


def test_runtime_dependencies_are_keras_and_numpy():
    assert requirement_names(PROJECT["dependencies"]) == {"keras", "numpy"}


def test_extras():
    extras = PROJECT["optional-dependencies"]
    promised = {"tensorflow", "jax", "torch", "keras-cv", "visualization", "serving", "docs",
                "test", "all"}  # fmt: skip
    assert promised <= set(extras)
    assert set(extras["test"]) >= {"torch==2.13.0"}
    assert requirement_names(extras["test"]) >= FRAMEWORKS | {"pytest", "pytest-xdist", "ruff"}
    assert requirement_names(extras["test"]) >= {"onnxruntime"}


def test_metadata():
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
