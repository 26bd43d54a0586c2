"""Plain data as one line of YAML: quoted only where it must be, so that people like to read it."""

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_. -]*[A-Za-z0-9_])?")
_MEANT_OTHERWISE = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def text(value: str) -> str:
    """A text as a YAML scalar; `${` becomes `$${`, because settings fill in variables."""
    return key(value.replace("${", "$${"))


def key(name: str) -> str:
    """A text as a mapping's key, in which no variables are filled in. JSON's strings are YAML's."""
    if _PLAIN.fullmatch(name) and name.lower() not in _MEANT_OTHERWISE:
        return name
    return json.dumps(name, ensure_ascii=False)


def flow(value: Any) -> str:
    """A mapping, a list or a text on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(name)}: {flow(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(entry) for entry in value) + "]"
    return text(value)
