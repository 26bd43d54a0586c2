"""`python -m offtake.cli`: the command where no script is installed."""

from offtake.cli import main

if __name__ == "__main__":
    main()
