"""Scores of all probes against a gallery, a block of rows at a time."""

import numpy as np

from keras_resample.arguments import as_bool
from keras_resample.metrics.arrays import (
    embedding_array,
    inverse,
    label_array,
    lengths,
    progress_bar,
    to_numpy,
)

# Scores held at a time: 32 MB in float32.
BLOCK = 1 << 23


class ScoreBlocks:
    """Cosines of probes and gallery as blocks of rows, computed when they are asked for.

    The whole matrix (p, g) never exists. The functions of identification and retrieval (`cmc`,
    `tpir_at_fpir`, `mean_average_precision`, ...) take it where they take a matrix of scores; each
    computes it once.

    Args:
        probes: Float array (p, dim) of any length. An embedding of zeros has score 0 with every
            other.
        gallery: Float array (g, dim).
        normalize: False for plain dot products.
        verbose: 0, 1 or "auto" for a progress bar at each pass, 2 for a line at its end.

    Raises:
        ValueError: For shapes that do not fit, and embeddings that are not finite.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> scores = kr.metrics.ScoreBlocks(np.eye(3), np.eye(3))
    >>> kr.metrics.cmc(scores, [0, 1, 2], [0, 1, 2], ranks=1).tolist()
    1.0
    """

    def __init__(self, probes, gallery, normalize=True, verbose=0):
        self.probes = embedding_array(probes, "probes")
        self.gallery = embedding_array(gallery, "gallery")
        if self.probes.shape[1] != self.gallery.shape[1]:
            raise ValueError(
                "`probes` and `gallery` must have the same dimension. "
                f"Received: probes.shape={self.probes.shape}, gallery.shape={self.gallery.shape}"
            )
        self.normalize = as_bool(normalize, "normalize")
        self.verbose = verbose
        dtype = np.result_type(self.probes, self.gallery)
        lowest = np.finfo(dtype).tiny  # a shorter vector has no inverse length in this precision
        self._probe_scale, self._gallery_scale = (
            inverse(np.where(length > lowest, length, 0)).astype(dtype)
            for length in (lengths(self.probes, "probes"), lengths(self.gallery, "gallery"))
        )
        progress_bar(1, verbose)

    @property
    def shape(self):
        """(p, g)"""
        return len(self.probes), len(self.gallery)

    def __iter__(self):
        """Yields arrays (rows, g), from the first probe to the last."""
        rows = max(1, BLOCK // len(self.gallery))
        starts = range(0, len(self.probes), rows)
        bar = progress_bar(len(starts), self.verbose)
        for done, start in enumerate(starts, start=1):
            block = self.probes[start : start + rows]
            if self.normalize:
                block = block * self._probe_scale[start : start + rows, None]
            block = block @ self.gallery.T
            if self.normalize:
                block *= self._gallery_scale
            yield block
            bar.update(done)


def labelled_blocks(scores, probe_labels, gallery_labels, probe_cameras=None, gallery_cameras=None):
    """Yields blocks of scores with which of them are of one identity, and which are junk.

    Args:
        scores: Float array (p, g), or `ScoreBlocks`.
        probe_labels: Array (p,).
        gallery_labels: Array (g,).
        probe_cameras: Array (p,) or None. Entries of the gallery with the identity and the camera
            of the probe are junk: neither right nor wrong.
        gallery_cameras: Array (g,), or None where `probe_cameras` is.

    Yields:
        scores, match and junk, arrays (rows, g); junk are not matches.
    """
    if not isinstance(scores, ScoreBlocks):
        scores = to_numpy(scores)
        if scores.ndim != 2 or not scores.size:
            raise ValueError(
                "`scores` must be an array (probes, gallery) or `ScoreBlocks`. "
                f"Received: scores.shape={scores.shape}"
            )
    probe_labels = label_array(probe_labels, scores.shape[0], "probe_labels")
    gallery_labels = label_array(gallery_labels, scores.shape[1], "gallery_labels")
    if (probe_cameras is None) != (gallery_cameras is None):
        missing = "probe_cameras" if probe_cameras is None else "gallery_cameras"
        raise ValueError(
            f"`{missing}` must be given where the other cameras are. Received: {missing}=None"
        )
    if probe_cameras is not None:
        probe_cameras = label_array(probe_cameras, scores.shape[0], "probe_cameras")
        gallery_cameras = label_array(gallery_cameras, scores.shape[1], "gallery_cameras")
    start = 0
    for block in _blocks(scores):
        if not np.all(np.isfinite(block)):
            raise ValueError(
                f"`scores` must be finite. Received: {np.sum(~np.isfinite(block))} that are not, "
                f"in rows {start} to {start + len(block) - 1}"
            )
        rows = slice(start, start + len(block))
        match = probe_labels[rows, None] == gallery_labels
        junk = np.zeros_like(match)
        if probe_cameras is not None:
            junk = match & (probe_cameras[rows, None] == gallery_cameras)
        yield block, match & ~junk, junk
        start += len(block)


def _blocks(scores):
    if isinstance(scores, ScoreBlocks):
        return scores
    rows = max(1, BLOCK // scores.shape[1])
    return (scores[start : start + rows] for start in range(0, len(scores), rows))
