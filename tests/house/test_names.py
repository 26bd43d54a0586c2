"""Some names say nothing: whoever needs one has not yet found what the thing does."""

import ast
import re

from house.tree import sources, tree

SAY_NOTHING = ("manager", "helper", "util", "common", "base", "core", "misc", "handler", "processor", "context")
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def says_nothing(name: str) -> bool:
    """Whether a snake_case or CamelCase name has one of those words in it."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return any(word.lower().removesuffix("s") in SAY_NOTHING for word in words)


def test_a_file_is_named_for_what_it_does() -> None:
    paths = sources(".py", ".c", ".h", ".sql", ".yaml")
    found = [str(path) for path in paths if any(says_nothing(part) for part in path.parts)]
    assert not found, "\n".join(found)


def test_a_class_or_function_is_named_for_what_it_does() -> None:
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in sources(".py")
        for node in ast.walk(tree(path))
        if isinstance(node, DEFINITIONS) and says_nothing(node.name)
    ]
    assert not found, "\n".join(found)
