"""`python -m drumlin.cli`, and `torchrun -m drumlin.cli`."""

import sys

from drumlin.cli import main

if __name__ == "__main__":
    sys.exit(main())
