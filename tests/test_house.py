"""The house as drawn: which room may import from which."""

import ast
import pathlib

import pytest

import keras_resample

PACKAGE = pathlib.Path(keras_resample.__file__).resolve().parent
# These stand below everything and import nothing of the package.
GROUND = {"arguments", "files", "program", "version"}
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
    "compare/recognition": PUBLIC | METRICS | {"compare/engine"},
    "compare/segmentation": PUBLIC | {"compare/engine"},
    "compare/regions": PUBLIC | {"compare/engine"},
    "compare/keypoints": PUBLIC | {"compare/engine"},
    "compare/resolutions": PUBLIC | METRICS | {"compare/engine"},
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


def test_every_room_is_drawn_and_its_edges_make_no_circle():
    assert {room_of(path) for path in FILES} == set(ALLOWED)
    rooms = {room: edges - {room} for room, edges in ALLOWED.items()}
    while rooms:
        free = {room for room, edges in rooms.items() if not edges & set(rooms)}
        assert free, f"a circle among {sorted(rooms)}"
        rooms = {room: edges for room, edges in rooms.items() if room not in free}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_package_shows_its_public_names_alone(name):
    package = getattr(keras_resample, name)
    assert dir(package) == sorted(package.__all__)
    tree = ast.parse(pathlib.Path(package.__file__).read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert sorted(name.name for node in imports for name in node.names) == package.__all__
