"""What every report shares: means and spreads, tables, and how it was made."""

import statistics


def mean_std(values):
    """`{"mean", "std"}` of numbers; `None` where one is missing or there is only one."""
    if any(value is None for value in values):
        return {"mean": None, "std": None}
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
    }


def percent(value, digits=1, sign=""):
    """A `mean_std` of shares in percent; `sign="+"` marks gains."""
    if value["mean"] is None:
        return "n/m"
    spread = "" if value["std"] is None else f" ± {100 * value['std']:.{digits}f}"
    return f"{100 * value['mean']:{sign}.{digits}f}{spread}"


def table(header, rows):
    """Lines of an aligned table, which is Markdown too; the first column is text."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = ["-" * width for width in widths]
    lines.insert(1, [rule[0], *(dashes[:-1] + ":" for dashes in rule[1:])])
    return [
        "| " + " | ".join(_aligned(cell, i, widths[i]) for i, cell in enumerate(line)) + " |"
        for line in lines
    ]


def by_method(records, order):
    """dict from the name of each method to its records; `order` is what a name is sorted by."""
    found = {}
    for record in records:
        found.setdefault(record["method"], []).append(record)
    return dict(sorted(found.items(), key=lambda item: order(item[0])))


def differences(methods, baselines, measured, title):
    """Seed by seed, how far each method lies above each baseline; each two once.

    Args:
        methods: of `by_method`.
        baselines: names.
        measured: dict from a text with {} for the difference to a function that reads a record.
        title: function from a name to its title.
    """
    lines = []
    for number, baseline in enumerate(baselines, 1):
        base = {record["seed"]: record for record in methods.get(baseline, [])}
        for method, own in methods.items():
            pairs = [(record, base[record["seed"]]) for record in own if record["seed"] in base]
            if pairs and method not in baselines[:number]:
                gains = [text.format(_gain(pairs, read)) for text, read in measured.items()]
                lines.append(f"* {title(method)} - {title(baseline)}: {', '.join(gains)}")
    return lines


def pictures(results):
    """Lines that show the figures."""
    return [f"![{name}]({name})\n" for name in results["figures"]]


def machine(results):
    """Lines about machine, versions and date."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return [
        f"* Machine: {machine['processor']}, {machine['cores']} cores, device "
        f"{machine['device']}, {machine['system']}",
        f"* Backend {machine['backend']}; {versions}; Python {machine['python']}",
        f"* Date: {machine['date']}",
    ]


def _gain(pairs, read):
    pairs = [(read(one), read(other)) for one, other in pairs]
    gains = [None if None in pair else pair[0] - pair[1] for pair in pairs]
    return percent(mean_std(gains), sign="+")


def _aligned(cell, column, width):
    return cell.ljust(width) if column == 0 else cell.rjust(width)
