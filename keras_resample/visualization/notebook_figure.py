"""A Matplotlib figure without pyplot."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that a notebook shows as the value of a cell.

    It is not registered with pyplot, so it needs no display, is freed like any object, and never
    appears twice.
    """

    def _repr_png_(self):
        file = io.BytesIO()
        self.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()
