"""`python -m keras_resample` reads its words before a framework is imported."""

import sys


def is_starting():
    """Whether Python imports the package on its way to the module of `python -m keras_resample`.

    That module imports the parts that it needs when its words are read and understood.
    """
    # While Python looks for the module that it runs, "-m" stands in place of its path.
    return sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] == __package__
