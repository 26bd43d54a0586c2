"""Writes an offtake.yaml and loads it, or tells what was wrong with it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from offtake.errors import InvalidConfig
from offtake.settings import Settings, load_settings

Load = Callable[..., Settings]
Refusals = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The settings of that text, in a folder of its own."""

    def load_text(text: str, environ: Mapping[str, str] | None = None) -> Settings:
        path = tmp_path / "offtake.yaml"
        path.write_text(dedent(text), "utf-8")
        return load_settings(path, environ or {})

    return load_text


@pytest.fixture
def refusals(load: Load, tmp_path: Path) -> Refusals:
    """What is wrong with that text, a line each as `offtake.yaml:LINE: …`."""

    def refuse_text(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(InvalidConfig) as caught:
            load(text, environ)
        told = [problem for _, problem in caught.value.problems] or [caught.value.detail]
        return [line.removeprefix(f"{tmp_path}/") for line in told]

    return refuse_text
