"""`python -m drumlin`: the command line, where its script is not on the path."""

from drumlin.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
