"""A linear warm-up in front of any learning rate schedule."""

import keras
from keras import ops

from keras_resample.arguments import as_number

Schedule = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable(package="keras_resample")
class WarmUp(Schedule):
    """Raises the learning rate linearly to the start of another schedule, which follows.

        rate(step) = first + (schedule(0) - first) * step / warmup_steps    (step < warmup_steps)
        rate(step) = schedule(step - warmup_steps)                          (from then on)

    For the schedules that have no warm-up of their own, such as the polynomial and the stepwise
    decay of most face recognition recipes; `keras.optimizers.schedules.CosineDecay` has one.

    Args:
        schedule: a `keras.optimizers.schedules.LearningRateSchedule`, or a number for a constant.
        warmup_steps: number of steps of the warm-up, at least 0.
        initial_learning_rate: the rate at step 0, at least 0.
        name: name of the schedule.

    Raises:
        ValueError: for another kind of schedule, or a negative number of steps or rate.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> decay = keras.optimizers.schedules.PolynomialDecay(0.1, decay_steps=1000, power=2)
    >>> rate = kr.callbacks.WarmUp(decay, warmup_steps=100)
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100, 600)]
    [0.0, 0.05, 0.1, 0.025]
    """

    def __init__(self, schedule, warmup_steps, initial_learning_rate=0.0, name="warm_up"):
        super().__init__()
        if not isinstance(schedule, Schedule):
            schedule = as_number(schedule, "schedule", more="or a LearningRateSchedule of Keras")
        self.schedule = schedule
        self.warmup_steps = as_number(warmup_steps, "warmup_steps", "[0, inf)")
        self.initial_learning_rate = as_number(
            initial_learning_rate, "initial_learning_rate", "[0, inf)"
        )
        self.name = name

    def __call__(self, step):
        step = ops.cast(step, "float32")
        done = ops.minimum(step / max(self.warmup_steps, 1), 1.0)
        first = self.initial_learning_rate
        rising = first + (self._rate(ops.zeros_like(step)) - first) * done
        after = self._rate(ops.maximum(step - self.warmup_steps, 0.0))
        return ops.where(step < self.warmup_steps, rising, after)

    def _rate(self, step):
        if isinstance(self.schedule, Schedule):
            return self.schedule(step)
        return ops.full_like(step, self.schedule)

    def get_config(self):
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "warmup_steps": self.warmup_steps,
            "initial_learning_rate": self.initial_learning_rate,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(**{**config, "schedule": schedule})
