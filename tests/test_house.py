"""The house as drawn: which room may import from which."""

import ast
import pathlib

import pytest

import keras_resample.compare  # which `keras_resample` does not import

PACKAGE = pathlib.Path(keras_resample.__file__).resolve().parent
# These stand below everything and import nothing of the package.
GROUND = {"arguments", "files", "machine", "program", "version"}
OPS = {"backend", "ops", "ops/restoring"}
LAYERS = {*OPS, "layers/samplers", "layers/blocks", "layers/regions", "layers/attention",
          "layers/trunk"}  # fmt: skip
METRICS = {"metrics", "metrics/verification", "metrics/identification", "metrics/segmentation"}
MODELS = {*LAYERS, *METRICS, "heads", "losses", "models", "models/networks", "models/steps"}
DATASETS = {"datasets/files", "datasets/base"}
PUBLIC = {"callbacks", "datasets", "export", "heads", "layers", "losses", "metrics", "models",
          "ops", "visualization"}  # fmt: skip
# Room: the rooms that its files may import from, besides itself and the ground.
ALLOWED = {
    "": PUBLIC | {"commands"},
    "backend": set(),
    "ops": {"backend"},
    "ops/restoring": OPS,
    "layers/blocks": OPS,
    "layers/samplers": OPS | {"layers/blocks"},
    "layers/regions": OPS,
    "layers/augmentation": OPS,
    "layers/attention": OPS,
    "layers/trunk": OPS,
    "heads": OPS,
    "losses": OPS | {"heads"},
    "metrics": OPS,
    "metrics/verification": OPS | {"metrics"},
    "metrics/identification": OPS | {"metrics", "metrics/verification"},
    "metrics/segmentation": OPS | {"metrics"},
    "models/networks": {*OPS, "layers/attention", "layers/blocks", "layers/regions"},
    "models/steps": LAYERS | METRICS | {"heads", "losses", "datasets/base"},
    "models": MODELS,
    "models/convert": {"models/networks"},
    "datasets/files": set(),
    "datasets/base": {"datasets/files"},
    "datasets/keypoints": DATASETS | {"ops"},
    "datasets/recognition": DATASETS,
    "datasets/verification": DATASETS | {"ops"},
    "datasets/segmentation": DATASETS,
    "datasets/synthetic": DATASETS | {"datasets/recognition"},
    "callbacks": MODELS,
    "export": MODELS,
    "visualization": MODELS | {"datasets/base"},
    "compare/engine": set(),
    "compare/recognition": PUBLIC | {"compare/engine", "metrics/verification"},
    "compare/segmentation": PUBLIC | {"compare/engine"},
    "compare/regions": PUBLIC | {"compare/engine"},
    "compare/keypoints": PUBLIC | {"compare/engine"},
    "compare/resolutions": PUBLIC | {"compare/engine", "metrics/verification"},
    "commands": PUBLIC
    | {"compare", "compare/engine", "datasets/files", "datasets/recognition", "models/steps"},
    "compare": {
        "compare/engine",
        "compare/keypoints",
        "compare/recognition",
        "compare/regions",
        "compare/resolutions",
        "compare/segmentation",
    },  # fmt: skip
}
# Tasks and commands use public names. Of other modules of public packages they import these alone.
INNER = {
    "compare/engine": set(),
    "compare/recognition": {"metrics.arrays", "metrics.verification.all_pairs"},
    "compare/segmentation": set(),
    "compare/regions": {"ops.confidence"},
    "compare/keypoints": set(),
    "compare/resolutions": {"metrics.verification.all_pairs"},
    "compare": set(),
    "commands": {
        "datasets.files.image_decoding",
        "datasets.files.screening",
        "datasets.recognition.image_folder",
        "export.contract",
        "export.folders",
        "export.model_card",
        "models.steps.images_of_files",
        "models.steps.native_images",
        "models.steps.own_scaling",
    },
}


def room_of(path):
    """The folder of a module, with the package's own as "" and an `__init__` in no room."""
    return "/".join(path.relative_to(PACKAGE).parts[:-1])


def imported_rooms(path):
    """The rooms that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith("keras_resample") for name in node.names), path
        if not isinstance(node, ast.ImportFrom) or not node.module.startswith("keras_resample"):
            continue
        for name in node.names:
            place = [*node.module.split(".")[1:], name.name]
            if place[0] in GROUND:
                continue
            while place and not PACKAGE.joinpath(*place).is_dir():
                place.pop()
            yield "/".join(place)


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_stay_on_the_allowed_edges(path):
    room = room_of(path)
    foreign = set(imported_rooms(path)) - ALLOWED[room] - {room}
    assert path.stem not in GROUND or room or not set(imported_rooms(path))
    assert not foreign, f"{room or 'keras_resample'} imports from {sorted(foreign)}"


def inner_modules(path):
    """Where a file imports what is no public name of a public package, as "metrics.arrays"."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("keras_resample."):
            place = node.module.removeprefix("keras_resample.")
            if place.split(".")[0] not in PUBLIC:
                continue
            public = getattr(getattr(keras_resample, place, None), "__all__", ())
            if not {name.name for name in node.names} <= set(public):
                yield place


@pytest.mark.parametrize("room", INNER)
def test_tasks_and_commands_use_public_names(room):
    files = [path for path in FILES if room_of(path) == room]
    assert {module for path in files for module in inner_modules(path)} == INNER[room]
    page = (PACKAGE.parent / "docs" / "development.md").read_text()
    assert all(f"`{module}`" in page for module in INNER[room])


def test_every_room_is_drawn_and_its_edges_make_no_circle():
    assert {room_of(path) for path in FILES} == set(ALLOWED)
    rooms = {room: edges - {room} for room, edges in ALLOWED.items()}
    while rooms:
        free = {room for room, edges in rooms.items() if not edges & set(rooms)}
        assert free, f"a circle among {sorted(rooms)}"
        rooms = {room: edges for room, edges in rooms.items() if room not in free}


PACKAGES = [getattr(keras_resample, name) for name in sorted({*PUBLIC, "compare"})]
PACKAGES.append(keras_resample.models.convert)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_public_package_shows_its_public_names_alone(package):
    assert dir(package) == sorted(package.__all__)
    tree = ast.parse(pathlib.Path(package.__file__).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert sorted(name.name for node in imports for name in node.names) == package.__all__


def test_the_package_shows_its_public_packages_alone():
    assert dir(keras_resample) == sorted({*PUBLIC, "__version__"})
    assert all(hasattr(keras_resample, name) for name in dir(keras_resample))


def test_an_init_defines_nothing_of_its_own():
    definitions = (ast.FunctionDef, ast.ClassDef)
    for path in PACKAGE.rglob("__init__.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        defined = [node.name for node in nodes if isinstance(node, definitions)]
        assert defined in ([], ["__dir__"]), path
