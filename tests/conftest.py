"""What every test shares: a fixed seed, clean global settings, quiet frameworks."""

import gc
import os
import pathlib
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# TensorFlow leaves oneDNN out where a processor has no AVX-512, and with it every convolution of
# channels-first images.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Memory is shared with other test processes; JAX must not reserve it all.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# Most programs run once here: compiling them costs more than all of their steps.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)

import keras  # noqa: E402
import pytest  # noqa: E402

# Files, numbers, pictures, pages and experiments stand on what is tested on every backend. Of a run
# on several, the last one tests them, but for the tests marked `every_backend`.
ONE_BACKEND = (
    *("commands/", "compare/", "datasets/", "example_scripts/", "metrics/", "visualization/"),
    *("callbacks/test_verification_callback.py", "models/test_convert.py", "models/test_from_"),
    *("models/test_published_weights.py", "test_arguments.py", "test_docs.py", "test_examples.py"),
    *("test_files.py", "test_house.py"),
)
# What training means (weights, losses, mistakes, resuming) is Keras's and ours on top of steps that
# every backend runs. Of a run on several, each of these tests, and each marked `in_turn`, is run by
# one, drawn by its name; again but for those marked `every_backend`.
IN_TURN = (
    *("layers/samplers/test_flow_training.py", "models/test_any_", "models/test_recognizer"),
    *("models/test_saved_optimizer.py", "models/test_segmenter"),
)
BACKENDS = os.environ.get("KERAS_RESAMPLE_EXCHANGE_BACKENDS", keras.backend.backend()).split(",")


@pytest.fixture(autouse=True)
def fresh_keras():
    """Every test starts from the same seed and leaves Keras's global settings as it found them."""
    image_data_format = keras.config.image_data_format()
    floatx = keras.config.floatx()
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_image_data_format(image_data_format)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="session")
def backend():
    """Name of the backend under test."""
    return keras.backend.backend()


def pytest_collection_finish():
    """What the frameworks made at import stays: the garbage collector need not look at it."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config):
    return f"keras {keras.version()} on {keras.backend.backend()}"


def pytest_collection_modifyitems(config, items):
    """Marks of backends are obeyed; of a run on several, some tests are run by one."""
    for item in items:
        marker = item.get_closest_marker("backends")
        if marker and keras.backend.backend() not in marker.args:
            reason = marker.kwargs.get("reason", f"only on {', '.join(marker.args)}")
            item.add_marker(pytest.mark.skip(reason=reason))
        elif keras.backend.backend() not in backends_of(item):
            item.add_marker(pytest.mark.skip(reason=f"this run tests it on {backends_of(item)[0]}"))


def backends_of(item):
    """The backends of this run that run a test."""
    path = item.path.relative_to(pathlib.Path(__file__).parent).as_posix()
    marker = item.get_closest_marker("backends")
    able = [name for name in BACKENDS if not marker or name in marker.args]
    if item.get_closest_marker("every_backend"):
        return able
    if path.startswith(ONE_BACKEND) and not marker:
        return BACKENDS[-1:]
    if path.startswith(IN_TURN) or item.get_closest_marker("in_turn"):
        return [able[zlib.crc32(f"{path} {item.name}".encode()) % len(able)]]
    return able


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "backends(*names, reason=...): the test runs only on these backends"
    )
    config.addinivalue_line(
        "markers", "every_backend: in a folder whose tests run on one backend, this one does not"
    )
    config.addinivalue_line(
        "markers", "in_turn: a variant of what other tests run on every backend; one backend does"
    )
