"""The command line. Every command imports what it needs when it runs, so that `offtake --help` answers at once."""


def main() -> None:
    """Run the command named in `sys.argv` and exit: 0 done, 1 failed, 2 wrong usage, 128 + n ended by signal n."""
    from offtake.cli.commands import app

    app(prog_name="offtake")
