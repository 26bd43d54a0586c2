"""What `offtake demo` says when it is ready: where it is, a key, and lines to paste."""

from pathlib import Path

from offtake.demo.home import read_card

# A file to save, and the download that gives it: one for each of the five systems whose tables the demo has.
SAMPLES = (
    ("invoices.csv", "invoices/download?filter=status:paid&from=2026-05-01&to=2026-05-31"),
    ("results.ndjson", "extraction_results/download?format=ndjson&from=2024-01-01&to=2024-01-31"),
    ("processes.json", "process_instances/download?format=json&filter=processDefinitionKey:aProcess"),
    (
        "contacts.csv",
        "contacts/download?fields=firstName,paternalLastName,stage,createdAt&filter=stage:Prospect,Client",
    ),
    ("transactions.parquet", "transactions/download?format=parquet&filter=status:completed;amount:1000.."),
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
    lines += [f"curl -o {file} -H 'x-api-key: {key}' '{url}/api/v1/datasets/{path}'" for file, path in SAMPLES]
    return "\n".join(lines)
