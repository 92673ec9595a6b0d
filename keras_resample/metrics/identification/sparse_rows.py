"""A matrix of which each row has few entries."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class SparseRows:
    """Entries of a matrix, row after row, in each by ascending columns.

    Args:
        starts: Integer array (rows + 1,); row i is entries `starts[i]` to `starts[i + 1]`.
        columns: Integer array (entries,).
        values: Float array (entries,).
    """

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    def of(self, rows):
        """Entries of the listed rows, one row after the other.

        Returns:
            The place in `rows`, the column and the value of each entry.
        """
        first = self.starts[rows]
        counts = self.starts[rows + 1] - first
        place = np.repeat(np.arange(len(rows)), counts)
        skipped = first - (np.cumsum(counts) - counts)
        entries = np.arange(len(place)) + skipped[place]
        return place, self.columns[entries], self.values[entries]

    def columns_of(self, first_row, num_columns):
        """The columns as rows, of the part from `first_row` on, counted from there."""
        counts = np.diff(self.starts[first_row:])
        columns, values = (x[self.starts[first_row] :] for x in (self.columns, self.values))
        order = np.argsort(columns, kind="stable")
        starts = np.searchsorted(columns[order], np.arange(num_columns + 1))
        row = np.repeat(np.arange(len(counts), dtype="int32"), counts)
        return SparseRows(starts, row[order], values[order])


def sparse_rows(parts, num_rows):
    """`SparseRows` of parts (row, column, value), arrays in the order of the rows."""
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    starts = np.searchsorted(rows, np.arange(num_rows + 1))
    return SparseRows(starts, columns, values)
