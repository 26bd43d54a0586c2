"""What `offtake demo` says when it is ready: where it is, a key, and lines to paste."""

from pathlib import Path

from offtake.demo.home import read_card

# A line for each of the five systems whose tables the demo has; `{url}` and `{key}` are filled in.
SAMPLES = (
    "-o invoices.xlsx -H 'Authorization: Bearer {key}' '{url}/api/v1/exports/configs/exp_01ABCDEFG/execute'",
    "-H 'x-api-key: {key}' '{url}/v1/exports/019760a0-0050-7000-8000-000000000050/download'",
    "-o processes.json -H 'Authorization: {key}' "
    "'{url}/api/public/export/report/e6c5aaa1-6a18-44e7-8480-d562d511ba62/result/json?paginationTimeout=60&limit=2'",
    "-o contacts.csv -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' --data "
    """'{{"format": "CSV", "viewState": {{"columns": [{{"id": "firstName"}}, {{"id": "stage"}}]}}}}' """
    "'{url}/api/exports/contacts'",
    "-H 'REB-APIKEY: {key}' '{url}/data-exports/foobar-001?expand=file'",
)


def banner(home: Path) -> str:
    """The address, a key, and five curl lines that work as they are."""
    card = read_card(home)
    url, key = card["url"], card["keys"]["admin"]
    lines = [
        f"offtake   {url}   (the API, to try out: {url}/docs)",
        f"key       {key}   (tenant {card['tenant']}; more keys in {home / 'demo.json'})",
        "",
    ]
    lines += ["curl " + sample.format(url=url, key=key) for sample in SAMPLES]
    return "\n".join(lines)
