"""What one kind of comparison brings to the engine."""

import abc
import dataclasses
import re

import keras


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: a method with a seed, in a case such as an output size.

    Attributes:
        choice: what earlier runs have chosen for it. It is part of the folder and not of the name,
            so that a run of another choice is another one, and the name is known before.
        label: name of the method and the case.
        name: the same with the seed.
        folder: name of the folder of the run, in `runs`.
    """

    method: str
    seed: int
    case: str = ""
    choice: str = ""

    @property
    def label(self):
        return f"{self.method}, {self.case}" if self.case else self.method

    @property
    def name(self):
        return f"{self.label}, seed {self.seed}"

    @property
    def folder(self):
        method, choice = (
            "_".join(re.findall(r"[\w.-]+", text.lower())) for text in (self.method, self.choice)
        )
        return "-".join(filter(None, [method, choice, self.case, f"seed{self.seed}"]))


class Task(abc.ABC):
    """A kind of comparison: its settings, data, methods, and what is measured and shown of them.

    A subclass gives the methods below. The engine (`run`) calls `load` first, trains what is not
    finished, an epoch at a time, measures the speed, and writes `results.json`, `results.md`
    and the figures.

    Args:
        settings: an instance of its own subclass of `engine.settings.Settings`.

    Attributes:
        trained: function from a finished `Run` to its trained model, for runs that start from what
            an earlier one has learned; set by the engine.
        finished: function from a `Run` to the numbers of its record, `None` where it is not
            finished, for runs that depend on what earlier ones have reached; set by the engine.
        reports_all: whether the report is of all finished runs in the folder; otherwise of those
            that the settings ask for.
        figure_dots: dots per inch of the figures.
    """

    reports_all = False
    figure_dots = 150

    def __init__(self, settings):
        self.settings = settings
        self.trained = None
        self.finished = None

    @classmethod
    def of(cls, settings):
        """The task of an instance of its settings."""
        return cls(settings)

    @abc.abstractmethod
    def load(self, say):
        """Reads the data, and returns one sentence about them.

        Raises:
            SettingError: for data that cannot be used.
        """

    @abc.abstractmethod
    def runs(self):
        """List of the `Run`s that the settings ask for, in the order of their training.

        Each is asked for again at its turn, when those before it are finished: its `choice` may
        depend on them, and nothing else.
        """

    @abc.abstractmethod
    def work(self, run):
        """Expected length of an epoch of a run, in any unit."""

    def epochs(self, run):
        """Epochs of a run, at most those of the settings."""
        return self.settings.epochs

    @abc.abstractmethod
    def model(self, run):
        """The model of a run, compiled and built, its initial weights by the seed of the run."""

    @abc.abstractmethod
    def batches(self, run, epoch):
        """What `fit` reads from `epoch` on; the order of an epoch depends on seed and epoch."""

    def fit_options(self, run):
        """Further arguments of `fit`: a dict."""
        return {}

    @abc.abstractmethod
    def test(self, run, model, history):
        """What is measured of a trained model.

        Args:
            history: list of a dict for each epoch: its logs, and its "seconds".

        Returns:
            `(record, arrays)`: JSON values, and a dict of numpy arrays.
        """

    def is_timed(self, run):
        """Whether the speed of a run is measured."""
        return True

    @abc.abstractmethod
    def timed(self, run, model):
        """What is timed of a model: dict from a name to `(model, batch)`, or to None."""

    def load_model(self, path):
        """A model that `test` has seen."""
        return keras.models.load_model(path)

    @abc.abstractmethod
    def results(self, records, speed):
        """The task's own part of `results.json`.

        Args:
            records: list of a dict for each run: record and arrays of `test`.
            speed: dict from the label of a run to images per second of each part of `timed`.
        """

    @abc.abstractmethod
    def sentence(self, record):
        """What a run has reached, for people."""

    def figures(self, records, load):
        """Pairs of the name of a figure and the Matplotlib figure.

        Args:
            load: function from a `Run` to its trained model.
        """
        return ()

    def products(self, store, results, load, say):
        """Writes the models that come of a comparison; names of what was written."""
        return []

    def summary(self, results):
        """Lines for the terminal."""
        return []

    @abc.abstractmethod
    def page(self, results):
        """Lines of `results.md`."""
