"""The kinds of comparisons.

A new one is a folder beside this file: `settings.py`, and `task.py` with a subclass of
`engine.task.Task` of the name of the folder; and a line here.
"""

import importlib

from keras_resample.compare.keypoints.settings import KeypointSettings
from keras_resample.compare.recognition.settings import Settings
from keras_resample.compare.regions.settings import RegionSettings
from keras_resample.compare.resolutions.settings import ResolutionSettings
from keras_resample.compare.segmentation.settings import SegmentationSettings

DEFAULT = "recognition"
SETTINGS = {
    DEFAULT: Settings,
    "segmentation": SegmentationSettings,
    "regions": RegionSettings,
    "keypoints": KeypointSettings,
    "resolutions": ResolutionSettings,
}


def task_of(settings):
    """The task of an instance of one of `SETTINGS`; imports what it needs.

    Raises:
        ValueError: for settings of another type.
    """
    for name, cls in SETTINGS.items():
        if isinstance(settings, cls):
            module = importlib.import_module(f"keras_resample.compare.{name}.task")
            return getattr(module, name.capitalize()).of(settings)
    known = " or ".join(cls.__name__ for cls in SETTINGS.values())
    raise ValueError(f"`settings` must be {known}. Received: settings={settings!r}")
