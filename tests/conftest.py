"""What every test shares: a fixed seed, clean global settings, quiet frameworks."""

import gc
import os
import pathlib

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
    *("compare/", "datasets/", "example_scripts/", "metrics/", "visualization/"),
    *("callbacks/test_verification_callback.py", "models/test_convert.py", "models/test_from_"),
    *("models/test_published_weights.py", "test_arguments.py", "test_docs.py", "test_examples.py"),
    *("test_files.py", "test_house.py"),
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
    """Marks of backends are obeyed, and what stands above them is tested on the last one."""
    for item in items:
        marker = item.get_closest_marker("backends")
        if marker and keras.backend.backend() not in marker.args:
            reason = marker.kwargs.get("reason", f"only on {', '.join(marker.args)}")
            item.add_marker(pytest.mark.skip(reason=reason))
        elif keras.backend.backend() != BACKENDS[-1] and is_above(item):
            item.add_marker(pytest.mark.skip(reason=f"stands above the backends: {BACKENDS[-1]}"))


def is_above(item):
    path = item.path.relative_to(pathlib.Path(__file__).parent).as_posix()
    marked = item.get_closest_marker("every_backend") or item.get_closest_marker("backends")
    return path.startswith(ONE_BACKEND) and not marked


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "backends(*names, reason=...): the test runs only on these backends"
    )
    config.addinivalue_line(
        "markers", "every_backend: in a folder whose tests run on one backend, this one does not"
    )
