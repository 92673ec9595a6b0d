"""A comparison from the first image to the last file, whatever its task."""

import importlib.util

import keras
import numpy as np

from keras_resample.compare.engine import machine, speed
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.progress import Progress, ProgressCallback
from keras_resample.compare.engine.resume import Checkpoint
from keras_resample.compare.engine.store import Store
from keras_resample.files import whole

FIGURES = "figures"


def run(task, say=print):
    """Trains what is missing, and writes the report.

    Args:
        task: a `Task`.
        say: function that gets each line of output.

    Returns:
        A dict, the content of `results.json`.
    """
    settings, backend = task.settings, keras.backend.backend()
    if settings.backend not in (None, backend):
        raise SettingError(
            "backend",
            f"must be the one Keras runs on, {backend}; it is chosen before Keras is imported, by "
            "`python -m keras_resample compare --backend` or the variable KERAS_BACKEND",
            settings.backend,
        )
    store = Store(settings.out)
    earlier = store.open(settings.numbers() | {"backend": backend}, settings.overwrite)
    data_format = keras.config.image_data_format()
    # The datasets are channels-last, and convolutions on TensorFlow's CPU are nothing else.
    keras.config.set_image_data_format("channels_last")
    try:
        return _run(task, store, earlier, say)
    finally:
        keras.config.set_image_data_format(data_format)


def train(task, run, store, progress):
    """Trains and tests one run, from its last checkpoint if there is one.

    Writes the model, the arrays and the numbers into the folder of the run.
    """
    folder = store.run_folder(run.folder)
    model = task.model(run)
    saver = Checkpoint(folder)
    epochs_done, epochs = saver.restore(model), task.epochs(run)
    progress.skip(run.name, task.settings.epochs - epochs + epochs_done)
    options = task.fit_options(run)
    model.fit(
        task.batches(run, epochs_done),
        epochs=epochs,
        initial_epoch=epochs_done,
        # The order of a dataset is a function of seed and epoch, so all methods share it.
        shuffle=False,
        verbose=0,
        callbacks=[*options.pop("callbacks", []), ProgressCallback(progress, run.name), saver],
        **options,
    )
    record, arrays = task.test(run, model, saver.history)
    with whole(folder / "model.keras") as (path,):
        model.save(path)
    store.finish(run.folder, record, arrays)


def _run(task, store, earlier, say):
    settings = task.settings
    description = task.load(say)

    def load(run):
        return task.load_model(store.model(run.folder))

    def finished(run):
        return store.record(run.folder)

    task.trained, task.finished = load, finished
    records = _records(task, store, earlier, say)
    rates = _speed(task, store, load, say)
    results = {
        "command": settings.command(),
        "commands": _commands(settings, store),
        "settings": settings.numbers() | {"seeds": settings.seeds, "out": settings.out},
        "machine": machine.describe(),
        "data": description,
        **task.results(records, rates),
        "runs": [_numbers(record) for record in records],
    }
    results["models"] = task.products(store, results, load, say)
    results["figures"] = _figures(task, store, records, load, say)
    store.write_json("results.json", results)
    store.write_text("results.md", "\n".join([*task.page(results), ""]))
    for line in task.summary(results):
        say(line)
    files = ["results.md", "results.json", *results["figures"], *results["models"]]
    say(f"Written to {store.out}: {', '.join(files)}")
    return results


def _records(task, store, earlier, say):
    """Records of all runs; those that are not stored are trained."""
    runs, settings = task.runs(), task.settings
    progress = Progress({run.name: task.work(run) for run in runs}, settings.epochs, say)
    done = [run for run in runs if task.finished(run) is not None]
    for run in done:
        progress.skip(run.name)
    if earlier:
        say(f"Continuing in {store.out}: {len(done)} of {len(runs)} runs are finished.")
    for number in range(0 if settings.report else len(runs)):
        run = task.runs()[number]
        if task.finished(run) is None:
            train(task, run, store, progress)
            keras.backend.clear_session()
            reached = task.sentence(store.run(run.folder))
            progress.line(f"[{number + 1}/{len(runs)}] {run.name}: {reached}")
        progress.skip(run.name)
    records = store.runs() if task.reports_all else [store.run(r.folder) for r in task.runs()]
    records = [record for record in records if record is not None]
    if not records:
        raise SettingError("report", "needs a finished run in `out`", settings.report)
    return records


def _commands(settings, store):
    """All commands that trained something in the folder."""
    earlier = (store.read_json("results.json") or {}).get("commands", [])
    return earlier if settings.report else list(dict.fromkeys([*earlier, settings.command()]))


def _numbers(record):
    return {k: v for k, v in record.items() if not isinstance(v, np.ndarray)}


def _speed(task, store, load, say):
    """Images per second of the first seed's runs, measured together where one was not yet."""
    measured = store.read_json("speed.json") or {}
    first = [
        run for run in task.runs() if run.seed == task.settings.seeds[0] and task.is_timed(run)
    ]
    for case in dict.fromkeys(run.case for run in first):
        runs = [run for run in first if run.case == case and store.model(run.folder).exists()]
        if task.settings.report or {run.label for run in runs} <= set(measured):
            continue
        say("Measuring the speed of inference ...")
        measured |= speed.measure({run.label: task.timed(run, load(run)) for run in runs})
        store.write_json("speed.json", measured)
        keras.backend.clear_session()
    return measured


def _figures(task, store, records, load, say):
    if importlib.util.find_spec("matplotlib") is None:
        say(
            "No figures were drawn: Matplotlib is not installed. "
            'Install it with: pip install "keras-resample[visualization]"'
        )
        return []
    say("Drawing the figures ...")
    (store.out / FIGURES).mkdir(exist_ok=True)
    names = []
    for name, figure in task.figures(records, load):
        names.append(f"{FIGURES}/{name}.png")
        with whole(store.out / names[-1]) as (path,):
            figure.savefig(path, dpi=task.figure_dots)
    return names
