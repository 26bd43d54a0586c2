"""No file says where packages come from or on which machine it was written: both differ from place to place."""

import re

from house.tree import text, tracked

# Put together here, so that this file does not name them either.
REGISTRIES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npm" + "js.org",
    "deb.debian" + ".org",
)
PLACES = ("/work" + "/main", "/work" + "/shared", "/opt" + "/pypi", "/root" + "/", "farm" + "-studio")
PACKAGE_URL = re.compile(r"https?://[^ \"'<>]+(/simple/?|\.whl|\.tgz)([ \"'<>]|$)", re.MULTILINE)


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            said = text(path)
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {word}" for word in (*REGISTRIES, *PLACES) if word in said]
        found += [f"{path}: {match[0]}" for match in PACKAGE_URL.finditer(said)]
    assert not found, "\n".join(found)
