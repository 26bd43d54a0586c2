"""The build hook: what it does with a compiler, with the wheel `ziglang`, and with neither."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from offtake.encode import kernel
from offtake.source import binary

ROOT = Path(__file__).parents[2]
SOURCE = Path(kernel.__file__).with_name("rows.c")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """hatch_build.py, which is no part of the package."""
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_compiler_makes_a_library_of_this_version(hook: ModuleType, tmp_path: Path) -> None:
    if not hook.compilers():
        pytest.skip("No C compiler on this machine, nor the wheel ziglang.")
    library = tmp_path / "librows.so"
    assert hook.compile_kernel(SOURCE, library)
    assert kernel.load(library) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["librows.so"]


def test_the_hook_makes_every_library_it_can(hook: ModuleType, tmp_path: Path) -> None:
    if not hook.compilers():
        pytest.skip("No C compiler on this machine, nor the wheel ziglang.")
    for source, _ in hook.LIBRARIES:
        (tmp_path / source).parent.mkdir(parents=True)
        shutil.copy(ROOT / source, tmp_path / source)
    rows, copy = (tmp_path / source.with_name(name) for source, name in hook.LIBRARIES)
    built: dict[str, object] = {}
    build = hook.KernelHook(str(tmp_path), {}, None, None, "", "wheel").initialize
    build("standard", built)
    assert kernel.load(rows) is not None
    assert binary.available() is (binary.load(copy) is not None)
    assert built.pop("pure_python") is False
    copy.with_name("copy.c").write_text("this is not C")
    build("standard", built)
    assert (rows.exists(), copy.exists(), built["pure_python"]) == (True, False, False)


def test_without_a_compiler_nothing_stays_and_it_says_so(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("ziglang"):
        pytest.skip("The wheel ziglang is installed, so there is always a compiler.")
    monkeypatch.setenv("PATH", str(tmp_path))
    library = tmp_path / "librows.so"
    library.write_bytes(b"of another version")
    assert not hook.compile_kernel(SOURCE, library)
    assert not library.exists()
    assert "NOT compiled" in capfd.readouterr().err


def test_a_compiler_that_fails_is_shown_with_what_it_said(
    hook: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not hook.compilers():
        pytest.skip("No C compiler on this machine, nor the wheel ziglang.")
    broken = tmp_path / "broken.c"
    broken.write_text("this is not C")
    assert not hook.compile_kernel(broken, tmp_path / "librows.so")
    assert "broken.c" in capfd.readouterr().err


def test_a_library_of_another_layout_is_not_loaded(tmp_path: Path) -> None:
    if shutil.which("cc") is None or sys.platform == "win32":
        pytest.skip("No C compiler on this machine.")

    other = tmp_path / "other.c"
    other.write_text("long long offtake_layout(void) { return 1; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "other.so", other], check=True)
    assert kernel.load(tmp_path / "other.so") is None
    assert kernel.load(tmp_path / "missing.so") is None
