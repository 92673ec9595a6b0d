"""The margin of a crop, chosen among several on training identities that are held out."""

import math

from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.engine.task import Run
from keras_resample.compare.recognition.names import BEST_CROP, SEARCHED

CASE = "search"


def runs(seeds):
    """The runs of the search: each crop with each seed."""
    return [Run(name, seed, CASE) for seed in seeds for name in SEARCHED]


def best_crop(seed, records):
    """The run of the best crop.

    Args:
        seed: of the run.
        records: those of `runs`, `None` where one is not finished. Before all of them are, nothing
            is chosen.
    """
    return Run(BEST_CROP, seed, choice="" if None in records else chosen(records))


def chosen(records):
    """The crop with the lowest mean equal error rate; of equal ones that which leaves out less."""
    return min(SEARCHED, key=lambda name: _error(records, name))


def identity(record):
    """What tells the run of a record from the others that are compared, as JSON values."""
    choice = {"choice": record["choice"]} if record.get("choice") else {}
    return {"front_end": record["front_end"], "seed": record["seed"], **choice}


def run_of(record):
    """The run of a record, or of its `identity`."""
    return Run(record["front_end"], record["seed"], choice=record.get("choice", ""))


def results(records, data, seeds):
    """What was searched, as JSON values; `None` for no records.

    Args:
        records: those of the search.
        data: `Data` with the identities that were held out as its test.
        seeds: those of the comparison; as long as one of their runs is missing nothing is chosen.
    """
    if not records:
        return None
    by_name = {
        name: own
        for name in SEARCHED
        if (own := [record for record in records if record["front_end"] == name])
    }
    return {
        "train_identities": data.train.num_classes,
        "held_out_identities": len(set(data.test_labels.tolist())),
        "pairs": {"genuine": data.genuine_pairs, "impostor": data.impostor_pairs},
        "chosen": chosen(records) if len(records) == len(runs(seeds)) else None,
        "training_seconds": sum(e["seconds"] for record in records for e in record["history"]),
        "rows": [
            {
                "margin": SEARCHED[name],
                "eer": mean_std([record["eer"] for record in own]),
                "tar": {far: mean_std([r["tar"][far] for r in own]) for far in own[0]["tar"]},
            }
            for name, own in by_name.items()
        ],
    }


def sentence(search):
    """What was found, for people."""
    held_out, train = search["held_out_identities"], search["train_identities"]
    if search["chosen"] is None:
        return "The search of the best crop is not finished: it is not compared."
    (row,) = (row for row in search["rows"] if _is_chosen(row, search))
    return (
        f"Best crop: {100 * row['margin']:.0f} % left out at each edge, chosen by its EER of "
        f"{percent(row['eer'], 2)} % on {held_out} of the {held_out + train} training identities, "
        "and trained anew on all of them."
    )


def section(search, fars):
    """Lines of `results.md`.

    Args:
        search: what `results` returned.
        fars: those to show.
    """
    header = ["left out at each edge (%)", *(f"TAR@{far} (%)" for far in fars), "EER (%)"]
    lines = [
        [
            f"{100 * row['margin']:.0f}" + (" (chosen)" if _is_chosen(row, search) else ""),
            *(percent(row["tar"][far]) for far in fars),
            percent(row["eer"], 2),
        ]
        for row in search["rows"]
    ]
    pairs = search["pairs"]
    return [
        "## The search of the best crop\n",
        f"Each crop was trained on {search['train_identities']} of the training identities and "
        f"verified on the {search['held_out_identities']} others of them: {pairs['genuine']:,} "
        f"genuine and {pairs['impostor']:,} impostor pairs. No test identity took part. The search "
        f"took {search['training_seconds'] / 60:.1f} minutes of training.\n",
        *report.table(header, lines),
        "",
    ]


def _is_chosen(row, search):
    return row["margin"] == SEARCHED.get(search["chosen"])


def _error(records, name):
    """Mean equal error rate of a crop, infinite where a training diverged."""
    mean = mean_std([record["eer"] for record in records if record["front_end"] == name])["mean"]
    return math.inf if mean is None else mean
