"""What to watch, and to steer, while a model trains."""

from keras_resample.callbacks.epoch_seeds import EpochSeeds
from keras_resample.callbacks.jacobian_logger import JacobianLogger
from keras_resample.callbacks.retrieval_callback import RetrievalCallback
from keras_resample.callbacks.verification_callback import VerificationCallback
from keras_resample.callbacks.warm_up import WarmUp

__all__ = [
    "EpochSeeds",
    "JacobianLogger",
    "RetrievalCallback",
    "VerificationCallback",
    "WarmUp",
]


def __dir__():
    return __all__
