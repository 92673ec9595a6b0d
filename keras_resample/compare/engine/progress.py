"""One line that says where a long comparison is, and when it will be done."""

import shutil
import sys
import time

import keras

BAR_WIDTH = 20
REDRAW_SECONDS = 0.2
# In a log file a line of progress appears at most this often.
LOG_SECONDS = 30.0


class Progress:
    """Progress of several runs of different length, as one bar and a time estimate.

    On a terminal one line is redrawn; elsewhere, and for a `report` other than `print`, a line is
    reported every 30 seconds at most.

    Args:
        work: dict from the name of each run to the expected length of one of its epochs, in any
            unit. What has been measured corrects it.
        epochs: epochs of each run.
        report: function that gets a line.
        stream: where the bar is drawn if it is a terminal.
        clock: seconds.
    """

    def __init__(self, work, epochs, report=print, stream=None, clock=time.monotonic):
        self.work = dict(work)
        self.epochs = epochs
        self.report = report
        self.stream = sys.stdout if stream is None else stream
        self.drawn = report is print and self.stream.isatty()
        self.clock = clock
        self.started = clock()
        self.shown = self.started
        self.names = list(work)
        self.epochs_done = dict.fromkeys(work, 0.0)
        self.measured_work = 0.0
        self.measured_seconds = 0.0
        self.lap = None

    def skip(self, name, epochs=None):
        """Epochs of a run that need no more work; all of them by default."""
        self.epochs_done[name] = float(self.epochs if epochs is None else epochs)

    def start(self):
        """A run begins."""
        self.lap = self.clock()

    def update(self, name, epochs_done, loss=None):
        """The run `name` has done `epochs_done` epochs, a float."""
        now = self.clock()
        self.measured_work += (epochs_done - self.epochs_done[name]) * self.work[name]
        self.measured_seconds += now - self.lap
        self.lap = now
        self.epochs_done[name] = epochs_done
        patience = REDRAW_SECONDS if self.drawn else LOG_SECONDS
        if now - self.shown < patience:
            return
        self.shown = now
        if self.drawn:
            columns = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\x1b[K" + self.text(name, loss)[:columns])
            self.stream.flush()
        else:
            self.report(self.text(name, loss))

    def line(self, text):
        """Reports a line that stays."""
        if self.drawn:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
        self.report(text)

    def fraction(self):
        """Part of the whole work that is done, in [0, 1]."""
        total = self.epochs * sum(self.work.values())
        return sum(self.epochs_done[name] * self.work[name] for name in self.names) / total

    def seconds_left(self):
        """Estimate of the training time that is left, `None` before anything was measured."""
        if not self.measured_work:
            return None
        left = sum((self.epochs - self.epochs_done[n]) * self.work[n] for n in self.names)
        return self.measured_seconds / self.measured_work * left

    def text(self, name, loss=None):
        """The line of progress."""
        fraction = self.fraction()
        bar = ("=" * int(fraction * BAR_WIDTH)).ljust(BAR_WIDTH, ".")
        left = self.seconds_left()
        parts = [
            f"[{self.names.index(name) + 1}/{len(self.names)}] {name}",
            f"epoch {min(int(self.epochs_done[name]) + 1, self.epochs)}/{self.epochs}",
            f"[{bar}] {100 * fraction:3.0f} %",
            f"{duration(self.clock() - self.started)} elapsed",
        ]
        if left is not None:
            parts.append(f"about {duration(left)} left")
        if loss is not None:
            parts.append(f"loss {loss:.2f}")
        return "  ".join(parts)


class ProgressCallback(keras.callbacks.Callback):
    """Tells a `Progress` about the batches of `fit`.

    Args:
        progress: the `Progress`.
        name: name of the run.
    """

    def __init__(self, progress, name):
        super().__init__()
        self.progress = progress
        self.name = name
        self.epoch = 0

    def on_train_begin(self, logs=None):
        self.progress.start()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        done = self.epoch + (batch + 1) / self.params["steps"]
        self.progress.update(self.name, done, (logs or {}).get("loss"))


def duration(seconds):
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
