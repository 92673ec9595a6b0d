"""The comparison of samplers: every method trains, a stopped run goes on, mistakes are named."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location(
    "compare_samplers", ROOT / "examples" / "compare_samplers.py"
)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

SIZES = {"identities": 6, "images-per-identity": 8, "size": 32, "factor": 0.5, "epochs": 1}
TINY = [f"--{name}={value}" for name, value in SIZES.items()]
COMBINATIONS = [
    f"{kind}, {how}" for kind in ("saliency", "flow") for how in ("learned", "predicted")
]


@pytest.fixture
def small_network(monkeypatch):
    network = {"depths": (1, 1), "filters": (4, 4), "embedding_dim": 8}
    monkeypatch.setattr(script, "NETWORK", network)


def test_all_combinations_and_the_table(tmp_path, small_network, capsys):
    arguments = [*TINY, "--out", str(tmp_path), "--methods", *COMBINATIONS, "uniform"]
    script.main(arguments)
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results) == [f"{name}, 0" for name in [*COMBINATIONS, "uniform"]]
    assert all(0 <= number <= 100 for pair in results.values() for number in pair)
    lines = (tmp_path / "results.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        f"| {name}" for name in [*COMBINATIONS, "uniform"]
    ]


def test_what_is_finished_is_not_trained_again(tmp_path, monkeypatch):
    (tmp_path / "results.json").write_text(json.dumps({"uniform, 0": [5.0, 90.0]}))
    monkeypatch.setattr(script, "verify", lambda *args: pytest.fail("trained again"))
    page = script.main([*TINY, "--out", str(tmp_path), "--methods", "uniform"])
    assert "| uniform | 5.00 +- 0.00 | 90.00 +- 0.00 |" in page


@pytest.mark.parametrize("name", script.samplers((64, 64)))
def test_every_sampler_has_the_size_of_the_factor(name):
    layer = script.samplers((64, 64))[name](factor=0.25, antialias=False, **script.LAST)
    assert layer.compute_output_shape((None, 64, 64, 1)) == (None, 16, 16, 1)


def test_an_unknown_method_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no methods .'zoom'.; there are .'saliency, learned'"):
        script.main([*TINY, "--out", str(tmp_path), "--methods", "zoom"])
