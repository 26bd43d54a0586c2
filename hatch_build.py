"""Build hook: compile our C with the machine's compiler, else with the wheel `ziglang`, else not at all.

Without the row kernel and the binary reader everything works and gives the same bytes, only slower; `offtake check`
says which it is.
"""
# ruff: noqa: S603, T201  (a build script runs compilers, and speaks to whoever installs)

import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARIES = (
    (Path("src/offtake/encode/kernel/rows.c"), "librows.so"),
    (Path("src/offtake/source/binary/copy.c"), "libcopy.so"),
)
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
OLDEST_GLIBC = "2.17"


class KernelHook(BuildHookInterface):
    """Puts a library beside each C source before the wheel, editable or not, is put together."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  (hatchling's signature)
        """Compile; a wheel that holds a library is for this kind of machine only."""
        if self.target_name != "wheel":
            return
        sources = [(Path(self.root) / source, name) for source, name in LIBRARIES]
        compiled = [compile_kernel(source, source.with_name(name)) for source, name in sources]
        if any(compiled):
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compile_kernel(source: Path, library: Path) -> bool:
    """Whether one of the compilers made the library. An older library never stays behind."""
    aside = library.with_suffix(".new.so")
    for compiler in compilers():
        command = [*compiler, *FLAGS, "-o", str(aside), str(source)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"offtake: {compiler[0]} could not run: {error}", file=sys.stderr)
            continue
        if ended.returncode == 0 and aside.exists():
            aside.replace(library)
            return True
        print(f"offtake: {' '.join(command)} failed:\n{ended.stderr}", file=sys.stderr)
    library.unlink(missing_ok=True)
    print(NOTE.format(name=source.name), file=sys.stderr)
    return False


def compilers() -> list[list[str]]:
    """Every C compiler at hand, the machine's own first."""
    found = [[path] for name in ("cc", "gcc", "clang") if (path := shutil.which(name))][:1]
    zig = [sys.executable, "-m", "ziglang"]
    if subprocess.run([*zig, "version"], capture_output=True, check=False).returncode == 0:
        machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
        target = ["-target", f"{machine}-linux-gnu.{OLDEST_GLIBC}"] if sys.platform == "linux" else []
        found.append([*zig, "cc", *target])
    return found


NOTE = """
offtake: =====================================================================
offtake: {name} was NOT compiled: there is no C compiler on this machine, or it failed.
offtake: Exports give the same bytes, but slower: text formats (rows.c) many times, PostgreSQL (copy.c) a little.
offtake: Install one (Debian: gcc; or from PyPI: pip install ziglang) and install offtake again.
offtake: =====================================================================
"""
