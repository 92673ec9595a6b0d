"""IJB-B and IJB-C, as insightface distributes them: images, templates, pairs, galleries, probes."""

import csv
import glob
import os

import numpy as np

from keras_resample.arguments import as_size, check_folder
from keras_resample.datasets.base.image_dataset import ImageDataset
from keras_resample.datasets.files.image_decoding import as_channels, pillow
from keras_resample.datasets.files.screening import as_verify, screen, warn_of_skipped
from keras_resample.datasets.files.text_lines import (
    inner_path,
    integer_table,
    text_lines,
    wrong_line,
)
from keras_resample.datasets.verification.aligned_face import AlignedFace


class IJBProtocol:
    """The images and the meta files of IJB-B or IJB-C.

    Expects the layout of insightface's packages: `loose_crop/` with the images and `meta/` with
    `*_face_tid_mid.txt` (image, template, medium), `*_name_5pts_score.txt` (image, five points,
    detector score), `*_template_pair_label.txt` (template, template, same), and for 1:N
    `*_1N_gallery_*.csv` and `*_1N_probe_mixed.csv` with columns `TEMPLATE_ID` and
    `SUBJECT_ID`. A file of pairs, galleries or probes that is missing leaves its attribute
    `None` or empty; the other two must be there.

    Images are loose crops; each is aligned by its five points to the template of 112 x 112
    faces when it is read. The files are looked at only then, as there are 470,000 in IJB-C, unless
    `on_error` or `verify` asks for more.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder with `meta` and `loose_crop`.
        size: `(height, width)` of the aligned images.
        channels: 3 (RGB) or 1 (grey).
        batch_size: images in a batch of `images`.
        value_range: range of the values, as in `ImageDataset`; published face networks want
            `(-1, 1)`, which is `(p / 255 - 0.5) / 0.5` of pixels `p`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        on_error: what an image does that cannot be read or aligned. `"raise"`: an error that
            names it. `"skip"`: it is left out of its template, one warning gives the number, and
            `skipped` lists `(file, reason)`. A template without any image is left out of the
            pairs, galleries and probes.
        verify: whether to decode and align every image at construction. Default: with
            `on_error="skip"` only.
        progress: whether to show a progress bar meanwhile.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Attributes:
        images: `ImageDataset` of the n aligned images, what `encoder.predict` takes.
        names: list of the n file names.
        templates, media: `(n,)` int32, as `kr.metrics.aggregate_templates` takes them.
        landmarks: `(n, 5, 2)` float32, x and y in pixels of the loose crop.
        detector_scores: `(n,)` float32.
        first, second: `(m,)` int32, the templates of each pair of 1:1.
        same: `(m,)` bool.
        galleries: dict from a name such as `"G1"` to `(templates, subjects)`, int32.
        probes: `(templates, subjects)` of the mixed probes.
        skipped: list of `(file, reason)`.

    Raises:
        ImportError: if Pillow is not installed.
        NotADirectoryError: if `path` is not a folder.
        FileNotFoundError: if one of the two needed files is missing.
        ValueError: for a line of another form, files that do not list the same images, or where
            no image can be read.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> os.makedirs("IJBB/meta"), os.makedirs("IJBB/loose_crop")
    (None, None)
    >>> Image.fromarray(np.zeros((120, 100, 3), "uint8")).save("IJBB/loose_crop/1.jpg")
    >>> with open("IJBB/meta/ijbb_face_tid_mid.txt", "w") as file:
    ...     _ = file.write("1.jpg 4 11\\n")
    >>> with open("IJBB/meta/ijbb_name_5pts_score.txt", "w") as file:
    ...     _ = file.write("1.jpg 30 50 70 50 50 70 35 90 65 90 0.9\\n")
    >>> protocol = kr.datasets.IJBProtocol("IJBB", data_format="channels_last")
    >>> protocol.images[0].shape, protocol.templates, protocol.same
    ((1, 112, 112, 3), array([4], dtype=int32), None)

    Reference:
        - [IJB-B, Whitelam et al., 2017](https://doi.org/10.1109/CVPRW.2017.87)
        - [IJB-C, Maze et al., 2018](https://doi.org/10.1109/ICB2018.2018.00033)
    """

    def __init__(
        self,
        path,
        size=(112, 112),
        channels=3,
        batch_size=32,
        value_range=(0.0, 1.0),
        data_format=None,
        on_error="raise",
        verify=None,
        progress=False,
        **kwargs,
    ):
        verify = as_verify(verify, on_error, progress)
        channels = as_channels(channels)
        size = as_size(size)
        pillow("IJBProtocol")
        check_folder(path)
        listed = _meta(path, "face_tid_mid.txt")
        self.names, self.templates, self.media = _templates(listed)
        crops = os.path.join(path, "loose_crop")
        files = [inner_path(crops, name, listed) for name in self.names]
        self.landmarks, self.detector_scores = _points(
            _meta(path, "name_5pts_score.txt"), self.names
        )
        self.first = self.second = self.same = None
        pairs = _meta(path, "template_pair_label.txt", needed=False)
        if pairs:
            self.first, self.second, self.same = _pairs(pairs)
        self.galleries = {
            os.path.splitext(file)[0].rsplit("_", 1)[1]: _subjects(file)
            for file in sorted(glob.glob(os.path.join(glob.escape(path), "meta", "*_1N_gallery_*")))
        }
        probes = _meta(path, "1N_probe_mixed.csv", needed=False)
        self.probes = _subjects(probes) if probes else None
        face = AlignedFace(files, size, channels, self.landmarks)
        self.skipped = []
        if verify:
            indices = range(len(files))
            place = face.files.__getitem__
            good, _, self.skipped = screen(
                face.verify, lambda index: (place(index), ""), indices, on_error, progress
            )
            if self.skipped:
                self._keep(face, good)
            warn_of_skipped(self.skipped, "images", stacklevel=3)
        self.images = ImageDataset(
            face,
            len(self.names),
            image_shape=(*size, channels),
            batch_size=batch_size,
            value_range=value_range,
            data_format=data_format,
            **kwargs,
        )
        self.images.skipped = self.skipped

    def _keep(self, face, good):
        """Keeps some of the images, and of all else what has one."""
        if not len(good):
            raise ValueError(
                f"`path` must hold a readable image. Received: {len(self.skipped)} skipped, the "
                f"first one {self.skipped[0][0]!r}: {self.skipped[0][1]}"
            )
        face.select(good)
        self.names = [self.names[index] for index in good]
        for name in ("templates", "media", "landmarks", "detector_scores"):
            setattr(self, name, getattr(self, name)[good])
        if self.same is not None:
            there = np.isin(self.first, self.templates) & np.isin(self.second, self.templates)
            for name in ("first", "second", "same"):
                setattr(self, name, getattr(self, name)[there])
        self.galleries = {name: self._there(*one) for name, one in self.galleries.items()}
        self.probes = self.probes and self._there(*self.probes)

    def _there(self, templates, subjects):
        there = np.isin(templates, self.templates)
        return templates[there], subjects[there]


def _meta(path, ending, needed=True):
    files = glob.glob(os.path.join(glob.escape(path), "meta", f"*_{ending}"))
    if len(files) > 1 or (needed and not files):
        raise FileNotFoundError(
            f"`path` must have one file meta/*_{ending}. Received: path={str(path)!r} with "
            f"{len(files)}"
        )
    return files[0] if files else None


def _templates(path):
    names, numbers = [], []
    for line, text in text_lines(path):
        fields = text.split()
        try:
            name, template, medium = fields
            numbers.append((np.int32(template), np.int32(medium)))
        except (ValueError, OverflowError):
            must = "be an image, a template and a medium (integers)"
            raise wrong_line(path, line, must, text) from None
        names.append(name)
    if not names:
        raise ValueError(f"A file of templates must have lines. Received: {path!r} with none")
    templates, media = np.array(numbers, "int32").T
    return names, templates, media


def _points(path, names):
    values = np.empty((len(names), 11), "float32")
    count = 0
    for line, text in text_lines(path):
        name, *numbers = text.split()
        if count == len(names) or name != names[count]:
            expected = repr(names[count]) if count < len(names) else "not there"
            must = f"be {expected}, as in the file of templates"
            raise wrong_line(path, line, must, text)
        try:
            row = [float(number) for number in numbers]
            values[count] = row if len(row) == 11 else ()
        except (ValueError, OverflowError):
            must = "be an image, five points x y and a score"
            raise wrong_line(path, line, must, text) from None
        if not np.isfinite(values[count]).all():
            raise wrong_line(path, line, "hold finite numbers", text)
        count += 1
    if count < len(names):
        raise ValueError(
            f"The file of points must have {len(names)} lines, one a line of the file of "
            f"templates. Received: {path!r} with {count}"
        )
    return values[:, :10].reshape(-1, 5, 2), values[:, 10]


def _pairs(path):
    table = integer_table(path, "template, template, same", 3, "int32")
    if not np.isin(table[:, 2], (0, 1)).all():
        row = int(np.argmin(np.isin(table[:, 2], (0, 1))))
        raise ValueError(
            "The third column of the file of pairs must be 0 or 1. "
            f"Received: {path!r}, {table[row].tolist()}"
        )
    return table[:, 0].copy(), table[:, 1].copy(), table[:, 2] == 1


def _subjects(path):
    """Templates and subjects, each template once in the order of the file."""
    subjects = {}
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or []
        if not {"TEMPLATE_ID", "SUBJECT_ID"} <= set(columns):
            raise ValueError(
                "A gallery or probe file must have the columns TEMPLATE_ID and SUBJECT_ID. "
                f"Received: {path!r} with {columns}"
            )
        for row in rows:
            try:
                template, subject = np.int32(row["TEMPLATE_ID"]), np.int32(row["SUBJECT_ID"])
            except (TypeError, ValueError, OverflowError):
                must = "have an integer TEMPLATE_ID and SUBJECT_ID"
                raise wrong_line(path, rows.line_num, must, str(row)) from None
            if subjects.setdefault(template, subject) != subject:
                must = f"give template {template} its one subject, {subjects[template]}"
                raise wrong_line(path, rows.line_num, must, str(subject))
    return np.array(list(subjects), "int32"), np.array(list(subjects.values()), "int32")
