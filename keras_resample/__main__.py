"""`python -m keras_resample`."""

import sys

from keras_resample.commands.dispatch import main

if __name__ == "__main__":
    sys.exit(main())
