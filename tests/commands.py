"""The command `offtake` without the second it takes to import everything: one process has, and forks for each command.

What runs is a process of its own with the caller's arguments, folder, environment, files and signals. Only its first
breath is spared, which `cli/test_cli_service.py` still hears.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import die_with_parent

# Plain Python without site-packages starts in no time. It hands everything over and ends as the command ends.
SCRIPT = """\
#!{python} -IS
import json, os, signal, socket, sys

line = socket.socket(socket.AF_UNIX)
line.connect({door!r})
told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(line, [len(told).to_bytes(4, "big")], [0, 1, 2])
line.sendall(told)
pid = int.from_bytes(line.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = os.waitstatus_to_exitcode(int.from_bytes(line.recv(4), "big"))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextmanager
def run_commands() -> Iterator[Path]:
    """The path of an `offtake` that starts fast, in a folder of its own that may go to the PATH."""
    with tempfile.TemporaryDirectory(prefix="offtake-command-") as folder:
        door, script = Path(folder, "door"), Path(folder, "bin", "offtake")
        script.parent.mkdir()
        script.write_text(SCRIPT.format(python=sys.executable, door=str(door)))
        script.chmod(0o755)
        command = [sys.executable, str(Path(__file__).with_name("forks.py")), str(door)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=die_with_parent) as forks:
            assert forks.stdout is not None
            assert forks.stdout.readline() == b"ready\n"
            try:
                yield script
            finally:
                forks.kill()
