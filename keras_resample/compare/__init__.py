"""The main job: models behind several ways of downsampling, trained, tested, reported.

`python -m keras_resample compare` calls `compare(Settings(...))`, and `compare segmentation`,
`compare regions`, `compare keypoints` and `compare resolutions` call `compare` with
`SegmentationSettings`, `RegionSettings`, `KeypointSettings` and `ResolutionSettings`. Importing
this package imports no task, so that a wrong setting is reported at once.
"""

from keras_resample.compare.compare import compare
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.keypoints.settings import KeypointSettings
from keras_resample.compare.recognition.settings import Settings
from keras_resample.compare.regions.settings import RegionSettings
from keras_resample.compare.resolutions.settings import ResolutionSettings
from keras_resample.compare.segmentation.settings import SegmentationSettings

__all__ = [
    "KeypointSettings",
    "RegionSettings",
    "ResolutionSettings",
    "SegmentationSettings",
    "SettingError",
    "Settings",
    "compare",
]


def __dir__():
    return __all__
