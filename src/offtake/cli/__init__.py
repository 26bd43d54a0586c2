"""The command line. Every command imports what it needs when it runs, so that `offtake --help` answers at once."""

import gc


def main() -> None:
    """Run the command named in `sys.argv` and exit: 0 done, 1 failed, 2 wrong usage, 128 + n ended by signal n."""
    gc.disable()  # imports leave 100,000 objects that stay: going through them time and again takes 60 ms
    from offtake.cli.commands import app

    app(prog_name="offtake")


def collect_garbage_from_now() -> None:
    """For commands that run long, once everything is imported."""
    gc.enable()
