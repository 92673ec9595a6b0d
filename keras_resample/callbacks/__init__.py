"""What to watch while a model trains."""

from keras_resample.callbacks.jacobian_logger import JacobianLogger
from keras_resample.callbacks.warm_up import WarmUp
