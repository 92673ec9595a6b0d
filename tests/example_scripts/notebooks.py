"""Runs the notebooks of the examples, with parameters for a test."""

import json
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, parameters):
    """Runs a notebook in the current folder, its cell tagged "parameters" replaced.

    Returns:
        The names it defines.
    """
    path = EXAMPLES / f"{name}.ipynb"
    assert path.stat().st_size < 1_000_000
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert any("image/png" in output.get("data", {}) for c in cells for output in c["outputs"])
    (parameter_cell,) = [c for c in cells if "parameters" in c["metadata"].get("tags", ())]
    parameter_cell["source"] = [parameters]
    names = {}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    return names
