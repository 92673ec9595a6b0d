"""The scripts that are comparisons with other defaults ask for what they say."""

import runpy
import sys

import pytest

from keras_resample.compare import SegmentationSettings, Settings, command
from tests.example_scripts.notebooks import EXAMPLES


@pytest.fixture
def asked(monkeypatch):
    """What a script with its arguments asks for; nothing is compared."""
    settings = []
    monkeypatch.setattr(command, "compare", settings.append)
    monkeypatch.setattr(command, "start", lambda *args: None)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        assert ended.value.code == 0
        return settings.pop()

    return run


def test_compare_samplers(asked, tmp_path):
    settings = asked("compare_samplers.py", "--factor", "0.5", "--out", "elsewhere")
    assert (settings.size, settings.identities, settings.factor) == ((64, 64), 60, 0.5)
    assert (settings.out, settings.margin, settings.epochs) == ("elsewhere", 0.2, 15)
    assert len(settings.front_ends) == 11 and "saliency learned" in settings.front_ends
    assert {"uniform (mean of cell)", "crop 10 %", "crop 20 %"} <= set(settings.front_ends)
    (tmp_path / "a").mkdir()
    settings = asked("compare_samplers.py", "--images", str(tmp_path), "--front-ends", "uniform")
    assert settings.images == str(tmp_path) and settings.size is None
    assert settings.front_ends == ("uniform",)
    assert isinstance(settings, Settings)


def test_segment_high_resolution(asked):
    settings = asked("segment_high_resolution.py", "--sizes", "8x12", "--methods", "joint")
    assert settings == SegmentationSettings(sizes=[(8, 12)], methods=["joint"])
