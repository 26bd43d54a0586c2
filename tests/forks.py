"""The other end of `commands.py`: a process that has imported everything and forks for every command."""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress


def answer_commands(door: str) -> None:
    """Import everything and fork a command for whoever calls, until killed."""
    import offtake

    for module in pkgutil.walk_packages(offtake.__path__, "offtake."):
        if not module.name.split(".")[-1].startswith(("lib", "__")):  # compiled libraries, __main__
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(door)
        listening.listen(64)
        print("ready", flush=True)
        while True:
            line, _ = listening.accept()
            with suppress(ChildProcessError):  # there is none
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
            if os.fork() == 0:
                listening.close()
                os._exit(_attend(line))
            line.close()


def _attend(line: socket.socket) -> int:
    """Fork the command, tell its number and at last its status; end it if the caller is gone."""
    size, files, *_ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as told:
        arguments, folder, environ = json.loads(told.read(int.from_bytes(size, "big")))
    running, alive = os.pipe()  # ends when the command does
    pid = os.fork()
    if pid == 0:
        line.close()
        os.close(running)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os._exit(_run(arguments, folder, environ))
    for file in (*files, alive):
        os.close(file)
    line.sendall(pid.to_bytes(4, "big"))
    if running not in select.select([line, running], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    with suppress(BrokenPipeError):
        line.sendall(status.to_bytes(4, "big"))
    return 0


def _run(arguments: list[str], folder: str, environ: dict[str, str]) -> int:
    """The command in this process, as if it had been started; its exit code."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv = ["offtake", *arguments]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    from offtake.cli import main

    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        code = code or 120  # as Python ends
    return code


if __name__ == "__main__":
    answer_commands(sys.argv[1])
