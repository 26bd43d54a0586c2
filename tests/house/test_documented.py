"""What a user can meet is written down: codes, settings, formats and their options, operators. Links lead somewhere."""

import ast
import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from house.tree import ROOT, sources, text, tracked, tree
from offtake.encode import FORMATS
from offtake.errors import ERRORS, Cancelled
from offtake.model.filter import Operator
from offtake.settings import settings_schema

LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)[^)\s]*\)")


def page(name: str) -> str:
    """What a page of docs/ says; nothing if there is none, so that the test names what it should have said."""
    path = ROOT / "docs" / name
    return path.read_text("utf-8") if path.exists() else ""


def in_code(word: str, said: str) -> bool:
    """Whether the word stands in `code` or, as a key or value, in a fenced block."""
    fenced = "\n".join(re.findall(r"^```.*?^```", said, re.MULTILINE | re.DOTALL))
    spans = re.findall(r"`[^`\n]+`", said)
    whole = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
    return any(whole.search(part) for part in (fenced, *spans))


def settings_keys(node: Any) -> Iterator[str]:
    """Every key that offtake.yaml may have, at any depth."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield from node["properties"]
        for value in node.values():
            yield from settings_keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from settings_keys(value)


def missing(words: Iterable[str], name: str) -> str:
    """The words that a page of docs/ does not explain."""
    said = page(name)
    return " ".join(word for word in sorted(set(words)) if not in_code(word, said))


def test_every_error_code_is_in_docs_errors() -> None:
    assert missing((error.code for error in ERRORS if error is not Cancelled), "errors.md") == ""


def test_every_setting_is_in_docs_configuration() -> None:
    assert missing(settings_keys(settings_schema()), "configuration.md") == ""


def test_every_operator_is_in_docs_filters() -> None:
    assert missing(Operator, "filters.md") == ""


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_has_a_page_with_all_its_options(name: str) -> None:
    assert page(f"formats/{name}.md"), f"docs/formats/{name}.md is not written"
    assert missing((field.name for field in dataclasses.fields(FORMATS[name].options)), f"formats/{name}.md") == ""


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    links = [
        (page, target) for page in pages for target in LINK.findall(text(page)) if not re.match(r"[a-z]+:", target)
    ]
    lost = [f"{page}: {target}" for page, target in links if not (ROOT / page.parent / target).exists()]
    assert not lost, "\n".join(lost)


def test_every_module_says_what_it_is_for() -> None:
    written = [path for path in sources(".py", under=("src",)) if text(path).strip()]
    silent = [str(path) for path in written if not ast.get_docstring(tree(path))]
    assert not silent, "\n".join(silent)
