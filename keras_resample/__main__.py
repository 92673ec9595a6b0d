"""`python -m keras_resample`."""

import sys

from keras_resample.compare.command import main

if __name__ == "__main__":
    sys.exit(main())
