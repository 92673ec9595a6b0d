"""Second phase of `tests/run.py`: every file that the other backends left gives equal numbers."""

import keras
import pytest

from tests.exchange import files

pytestmark = pytest.mark.skipif(
    files.folder() is None,
    reason=f"one backend alone: the exchange runs in `python tests/run.py` (sets {files.FOLDER})",
)

PAIRS = [
    (backend, name)
    for backend in files.backends()
    if files.folder() and backend != keras.backend.backend()
    for name in files.names()
]


def test_every_backend_left_files():
    for backend in files.backends():
        left = list((files.folder() / backend).glob("*.keras"))
        assert left, f"{backend} left no file in the exchange folder"


@pytest.mark.parametrize("backend, name", PAIRS)
def test_file_of_another_backend(backend, name):
    files.compare(backend, name)
