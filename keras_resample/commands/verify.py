"""`python -m keras_resample verify`: do two images show one identity?"""

import dataclasses
from typing import ClassVar

from keras_resample.commands.command import (
    Command,
    backend,
    custom_modules,
    file_of_model,
    flip,
    value_range,
)
from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import REQUIRED, setting

# Exit statuses of the answers: 1 and 2 are those of errors.
SAME, DIFFERENT = 0, 3


def _image(metavar, text):
    return setting(REQUIRED, text, checks.existing_file, metavar, place=True)


@dataclasses.dataclass(kw_only=True)
class Verify(Command):
    """The words of `verify`."""

    name: ClassVar[str] = "verify"
    summary: ClassVar[str] = "tell whether two images show one identity"
    description: ClassVar[str] = """\
Prints whether two images show one identity: the cosine of their embeddings, and the threshold from
which on they do. That is in the file of a Verifier; for a Recognizer, a BTNet or an encoder say it.
"""
    epilog: ClassVar[str] = f"""\
Exit status: {SAME} for the same, {DIFFERENT} for different, 1 and 2 for errors, without an answer.
"""

    model: str = file_of_model(".keras file of a Verifier, or of another model", "VERIFIER")
    first: str = _image("FIRST", "image file")
    second: str = _image("SECOND", "image file")
    threshold: float | None = setting(
        None,
        "cosine from which on it is the same (default: what the file of a Verifier says)",
        checks.number("[-1, 1]"),
    )
    flip: bool = flip()
    value_range: tuple[float, float] | None = value_range()
    custom_modules: tuple[str, ...] = custom_modules()
    backend: str | None = backend()

    def run(self):
        """Compares, and prints the answer, which is the exit status too."""
        import numpy as np

        from keras_resample.commands.embedders import embedder
        from keras_resample.commands.image_paths import readable
        from keras_resample.commands.loading import load
        from keras_resample.models import Verifier

        model = load(self)
        threshold = self.threshold
        if threshold is None and isinstance(model, Verifier):
            threshold = model.threshold
        if threshold is None:
            must = f"must be given for a {type(model).__name__}; the file of a Verifier has one"
            raise SettingError("threshold", must, None)
        embed = embedder(model, self)
        for name in ("first", "second"):
            readable([getattr(self, name)], name)
        embeddings = embed([self.first, self.second], batch_size=2, verbose=0)
        for name, embedding in zip(("first", "second"), embeddings, strict=True):
            if not np.isfinite(embedding).all():
                must = "must have a finite embedding, or there is no answer"
                raise SettingError(name, must, getattr(self, name))
        score = np.dot(*embeddings)
        same = score >= threshold
        answer = "same" if same else "different"
        print(f"{answer}, score {score:.4f}, threshold {threshold:.4f}")
        return SAME if same else DIFFERENT
