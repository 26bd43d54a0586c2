"""Growth is visible: a file at most 400 lines, a function at most 50, C at most 700."""

from house.tree import functions, sources, text


def too_long(limit: int, *endings: str) -> dict[str, int]:
    """The files with more lines than that."""
    lengths = {str(path): len(text(path).splitlines()) for path in sources(*endings)}
    return {path: lines for path, lines in lengths.items() if lines > limit}


def test_a_file_has_at_most_400_lines() -> None:
    assert not (long := too_long(400, ".py", ".sql")), long


def test_a_c_file_has_at_most_700_lines() -> None:
    assert not (long := too_long(700, ".c", ".h")), long


def test_a_function_has_at_most_50_lines() -> None:
    lengths = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in sources(".py")
        for node in functions(path)
    }
    assert not (long := {name: lines for name, lines in lengths.items() if lines > 50}), long
