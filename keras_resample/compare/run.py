"""A comparison from the first image to the last file."""

import importlib.util
import shutil

import keras

from keras_resample import export
from keras_resample.compare import data as data_module
from keras_resample.compare import experiment, front_ends
from keras_resample.compare.engine import machine, report, speed
from keras_resample.compare.engine.progress import Progress
from keras_resample.compare.engine.results import Store, atomic
from keras_resample.compare.settings import SettingError

# Expected time of an epoch: the pixels a front end leaves, and what a batch costs anyway.
FIXED_WORK = 0.2


def run(settings, say=print):
    """Does what `keras_resample.compare.compare` describes."""
    backend = keras.backend.backend()
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
        return _run(settings, store, earlier, say)
    finally:
        keras.config.set_image_data_format(data_format)


def _run(settings, store, earlier, say):
    say("Reading the images ..." if settings.images else "Drawing the palmprints ...")
    data = data_module.load(settings)
    runs = _runs(settings, store, data, earlier, say)
    measured = _speed(settings, store, data, say)
    results = _results(settings, data, runs, measured)
    _write_best(settings, store, results, say)
    results["figures"] = _figures(store, data, runs, say)
    store.write_json("results.json", results)
    store.write_text("results.md", report.markdown(results))
    for line in ["", report.headline(results), "", *report.table_lines(results), ""]:
        say(line)
    for line in report.remarks(results):
        say(line)
    files = ["results.md", "results.json", *results["figures"], *results["models"]]
    say(f"Written to {store.out}: {', '.join(files)}")
    return results


def _runs(settings, store, data, earlier, say):
    """Records of all runs; those that are not stored are trained."""
    keys = [(front_end, seed) for seed in settings.seeds for front_end in front_ends.FRONT_ENDS]
    pixels = settings.factor**2
    progress = Progress(
        {
            experiment.run_name(front_end, seed): FIXED_WORK
            + (1.0 if front_end == front_ends.FULL else pixels)
            for front_end, seed in keys
        },
        settings.epochs,
        say,
    )
    stored = {key: store.run(experiment.folder_name(*key)) for key in keys}
    for key in keys:
        if stored[key] is not None:
            progress.skip(experiment.run_name(*key))
    if earlier:
        finished = sum(record is not None for record in stored.values())
        say(f"Continuing in {store.out}: {finished} of {len(keys)} runs are finished.")
    for number, key in enumerate(keys, 1):
        if stored[key] is None:
            experiment.train(*key, settings, data, store, progress)
            keras.backend.clear_session()
            stored[key] = store.run(experiment.folder_name(*key))
            progress.line(f"[{number}/{len(keys)}] {_summary(stored[key], data)}")
    return list(stored.values())


def _summary(record, data):
    name = experiment.run_name(record["front_end"], record["seed"])
    seconds = sum(epoch["seconds"] for epoch in record["history"])
    if record["eer"] is None:
        return f"{name}: training diverged, its embeddings are not finite ({seconds:.0f} s)"
    far = report.telling_far(data.impostor_pairs, record["tar"])
    at = f", TAR {100 * record['tar'][far]:.1f} % at FAR {far}" if far else ""
    return f"{name}: EER {100 * record['eer']:.2f} %{at} ({seconds:.0f} s)"


def _speed(settings, store, data, say):
    measured = store.read_json("speed.json")
    if measured is None:
        say("Measuring the speed of inference ...")
        encoders = {
            front_end: load_recognizer(store, front_end, settings.seeds[0]).encoder
            for front_end in front_ends.FRONT_ENDS
        }
        measured = speed.measure(encoders, data.test_images)
        store.write_json("speed.json", measured)
    return measured


def load_recognizer(store, front_end, seed):
    """The trained recognizer of a run."""
    path = store.run_folder(experiment.folder_name(front_end, seed)) / "model.keras"
    return keras.models.load_model(path)


def _results(settings, data, runs, measured):
    table = report.rows(runs, measured)
    front_end = report.best(table)
    own = [run for run in runs if run["front_end"] == front_end and run["eer"] is not None]
    best = min(own, key=lambda run: run["eer"], default=None)
    return {
        "command": settings.command(),
        "settings": settings.numbers() | {"seeds": settings.seeds, "out": settings.out},
        "machine": machine.describe(),
        "data": data.description,
        "image_shape": data.image_shape,
        "train_identities": data.train.num_classes,
        "train_images": data.train.num_images,
        "test_identities": len(set(data.test_labels.tolist())),
        "test_images": len(data.test_labels),
        "pairs": {"genuine": data.genuine_pairs, "impostor": data.impostor_pairs},
        "rows": table,
        "gains": report.gains(runs),
        "best": best and {"front_end": front_end, "seed": best["seed"]},
        "runs": [{k: v for k, v in run.items() if k != "embeddings"} for run in runs],
        "models": [],
        "figures": [],
    }


def _write_best(settings, store, results, say):
    """Copies the best recognizer to best.keras and exports its encoder."""
    if results["best"] is None:
        return
    key = results["best"]["front_end"], results["best"]["seed"]
    source = store.run_folder(experiment.folder_name(*key)) / "model.keras"
    with atomic(store.out / "best.keras") as path:
        shutil.copyfile(source, path)
    results["models"].append("best.keras")
    if not settings.export:
        return
    target = store.out / "saved_model" / "1"
    before = store.read_json("results.json") or {}
    if before.get("best") != results["best"] or not target.is_dir():
        say("Exporting the best encoder ...")
        try:
            export.saved_model(load_recognizer(store, *key), target, overwrite=True)
        except ImportError as error:
            say(f"No SavedModel was written: {error}")
            return
    results["models"].append("saved_model/1")


def _figures(store, data, runs, say):
    if importlib.util.find_spec("matplotlib") is None:
        say(
            "No figures were drawn: Matplotlib is not installed. "
            'Install it with: pip install "keras-resample[visualization]"'
        )
        return []
    from keras_resample.compare.engine import figures

    say("Drawing the figures ...")
    seed = runs[0]["seed"]
    encoders = {
        front_end: load_recognizer(store, front_end, seed).encoder
        for front_end in front_ends.FRONT_ENDS
    }
    return figures.draw(store, data, encoders, [run for run in runs if run["seed"] == seed])
