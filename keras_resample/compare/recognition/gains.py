"""What front ends that move add to those that do not."""

from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.recognition.names import BASELINES, BEST_CROP, FIXED, FULL

SIMPLE = (*FIXED, BEST_CROP)


def gains(runs):
    """Each front end that moves minus each baseline that filters as it does, seed by seed.

    Args:
        runs: list of the records of all runs.

    Returns:
        `{"eer": mean_std, "tar": {far: mean_std}}` by the names of both.
    """
    moving = _moving(runs)
    pairs = [(name, base) for name in moving for base in BASELINES[name.endswith("antialiased")]]
    return _named(runs, pairs)


def over_strongest(runs):
    """Each front end that moves minus the strongest simple one of all, filtered or not.

    The strongest has the lowest mean equal error rate on the test pairs; of equal ones it is the
    first of the table. As it is known only afterwards, the choice is generous to it.

    Returns:
        `{"baseline": its name, "gains": as those of `gains`, by the names of the front ends}`, or
        `None` without a simple front end, or without one that moves.
    """
    eers = {}
    for run in runs:
        if run["front_end"] in SIMPLE:
            eers.setdefault(run["front_end"], []).append(run["eer"])
    means = {name: mean_std(own)["mean"] for name, own in eers.items()}
    measured = [name for name in means if means[name] is not None]
    if not measured:
        return None
    baseline = min(measured, key=means.get)
    found = _named(runs, [(name, baseline) for name in _moving(runs)])
    found = {pair.removesuffix(f" - {baseline}"): gain for pair, gain in found.items()}
    return {"baseline": baseline, "gains": found} if found else None


def sentence(over, far):
    """What `over_strongest` has found, for people.

    Args:
        over: what it returned.
        far: the false accept rate to show, `None` for none.
    """
    parts = [
        f"{name} {difference(gain, far)}, {_verdict(gain, far)}"
        for name, gain in over["gains"].items()
    ]
    return (
        f"Over the best simple front end, {over['baseline']} (the lowest mean EER on the test "
        f"pairs, a choice that is generous to it), in percentage points: {'; '.join(parts)}."
    )


def difference(gain, far):
    """EER and TAR of a gain, in percentage points."""
    at = f", TAR@{far} {percent(gain['tar'][far], 2, '+')}" if far else ""
    return f"EER {percent(gain['eer'], 2, '+')}{at}"


def _verdict(gain, far):
    """Whether a gain is one: in EER and TAR, and by more than the spread of its differences."""
    better = [(gain["eer"], -1)] + ([(gain["tar"][far], 1)] if far else [])
    if any(value["mean"] is None or value["mean"] * sign <= 0 for value, sign in better):
        return "not above it"
    if any(value["std"] is None for value, _ in better):
        return "above it with one seed, which has no spread"
    if any(abs(value["mean"]) <= value["std"] for value, _ in better):
        return "above it by less than the spread"
    return "above it by more than the spread"


def _moving(runs):
    return dict.fromkeys(
        run["front_end"] for run in runs if run["front_end"] not in (*SIMPLE, FULL)
    )


def _named(runs, pairs):
    """Differences of pairs of names, of those that have a seed in common."""
    by_key = {(run["front_end"], run["seed"]): run for run in runs}
    found = {}
    for name, baseline in pairs:
        both = [
            (by_key[name, seed], by_key[baseline, seed])
            for seed in sorted({run["seed"] for run in runs})
            if (name, seed) in by_key and (baseline, seed) in by_key
        ]
        if both:
            found[f"{name} - {baseline}"] = {
                "eer": mean_std([_difference(a["eer"], b["eer"]) for a, b in both]),
                "tar": {
                    far: mean_std([_difference(a["tar"][far], b["tar"][far]) for a, b in both])
                    for far in both[0][0]["tar"]
                },
            }
    return found


def _difference(value, baseline):
    return None if value is None or baseline is None else value - baseline
