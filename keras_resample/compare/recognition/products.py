"""The best recognizer of a comparison, to go on with and to serve."""

import shutil

from keras_resample import export
from keras_resample.compare.recognition import crop_search
from keras_resample.files import whole


def write(store, results, exported, load, say):
    """Copies the best recognizer to best.keras, and exports its encoder if that is wanted.

    Returns:
        Names of what was written, relative to the folder of the comparison.
    """
    if results["best"] is None:
        return []
    best = crop_search.run_of(results["best"])
    with whole(store.out / "best.keras") as (path,):
        shutil.copyfile(store.model(best.folder), path)
    if not exported:
        return ["best.keras"]
    target = store.out / "saved_model" / "1"
    before = store.read_json("results.json") or {}
    if before.get("best") != results["best"] or not target.is_dir():
        say("Exporting the best encoder ...")
        try:
            export.saved_model(load(best), target, overwrite=True)
        except ImportError as error:
            say(f"No SavedModel was written: {error}")
            return ["best.keras"]
    return ["best.keras", "saved_model/1"]
