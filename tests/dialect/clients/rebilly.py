"""What a program does with the client generated from Rebilly's document: `rebilly.py URL KEY`."""

import sys

from rebilly_client import AuthenticatedClient
from rebilly_client.api.data_exports import (
    delete_data_export,
    get_data_export,
    get_data_export_collection,
    post_data_export,
    put_data_export,
)
from rebilly_client.api.files import get_file, get_file_download
from rebilly_client.models import (
    Arguments,
    DataExport,
    DataExportBody,
    Error,
    FileAnswer,
    FileFormat,
    Recurring,
)

url, key = sys.argv[1:]
client = AuthenticatedClient(url, token=key, prefix="", auth_header_name="REB-APIKEY", timeout=60)

wish = DataExportBody(
    name="generated",
    format_=FileFormat.CSV,
    resource="customers",
    arguments=Arguments(filter_="status:active", sort="-createdTime"),
    fields=["id", "lifetimeRevenue/amount"],
)
made = post_data_export.sync(client=client, body=wish)
assert isinstance(made, DataExport)
assert (made.name, made.status, made.fields) == ("generated", "queued", ["id", "lifetimeRevenue/amount"])

listed = get_data_export_collection.sync_detailed(client=client, filter_="name:generated", limit=10)
assert [each.id for each in listed.parsed] == [made.id]
assert listed.headers["Pagination-Total"] == "1"

wish.recurring = Recurring(instruction="RRULE:FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0")
later = put_data_export.sync("generated-daily", client=client, body=wish)
assert (later.id, later.recurring.instruction) == ("generated-daily", wish.recurring.instruction)
wish.name = "changed"
assert put_data_export.sync("generated-daily", client=client, body=wish).name == "changed"
assert delete_data_export.sync_detailed("generated-daily", client=client).status_code == 204
gone = get_data_export.sync("generated-daily", client=client)
assert isinstance(gone, Error)
assert (gone.status, gone.title) == (404, "Not Found")

wish.resource = "custmers"
wrong = post_data_export.sync(client=client, body=wish)
assert [each.field for each in wrong.invalid_fields] == ["resource"]

finished = get_data_export.sync("foobar-001", client=client, expand="user,file")
assert (finished.status, finished.field_embedded.user.id) == ("completed", finished.user_id)
file = get_file.sync(finished.file_id, client=client)
assert isinstance(file, FileAnswer)
assert (file.id, file.mime) == (finished.file_id, "text/csv")
rows = get_file_download.sync(file.id, client=client).payload.read().decode().splitlines()
assert len(rows) == finished.record_count + 1
