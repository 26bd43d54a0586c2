"""What a program does with the client generated from Exelensia's document: `exelensia.py URL KEY`."""

import sys

from exelensia_client import AuthenticatedClient
from exelensia_client.api.exports import create_export_v1_exports_post as create
from exelensia_client.api.exports import get_download_url_v1_exports_export_id_download_get as get_url
from exelensia_client.api.exports import get_export_v1_exports_export_id_get as get_one
from exelensia_client.api.exports import get_exports_v1_exports_get as get_all
from exelensia_client.api.exports import remove_export_v1_exports_export_id_delete as remove
from exelensia_client.models import Error, ExportAnswer, NewExport

SCHEMA, FINISHED = "019760a0-0001-7000-8000-000000000001", "019760a0-0050-7000-8000-000000000050"

url, key = sys.argv[1:]
client = AuthenticatedClient(url, token=key, prefix="", auth_header_name="x-api-key", timeout=60)

made = create.sync(client=client, body=NewExport(SCHEMA, "2024-01-01", "2024-01-31"))
assert isinstance(made, ExportAnswer)
assert made.status == "PENDING"
assert get_one.sync(made.id, client=client).schema_id == SCHEMA
listed = get_all.sync(client=client, limit=100)
assert made.id in {export["id"] for export in listed.data}
assert remove.sync(made.id, client=client).message == "Export deleted successfully"

fetched = client.get_httpx_client().get(get_url.sync(FINISHED, client=client).url)
assert fetched.text.startswith("result_id,file_id,created_at,")
refused = get_one.sync(made.id, client=client)
assert isinstance(refused, Error)
assert refused.status_code == 404
