"""What a program does with the client generated from Optimaite's document: `optimaite.py URL KEY`."""

import io
import json
import sys
import zipfile

from optimaite_client import AuthenticatedClient, Client
from optimaite_client.api.exports import create_config_api_v1_exports_configs_post as create
from optimaite_client.api.exports import delete_config_api_v1_exports_configs_config_id_delete as delete
from optimaite_client.api.exports import execute_config_api_v1_exports_configs_config_id_execute_get as execute
from optimaite_client.api.exports import (
    generate_token_api_v1_exports_configs_config_id_generate_token_post as generate_token,
)
from optimaite_client.api.exports import get_config_api_v1_exports_configs_config_id_get as get_one
from optimaite_client.api.exports import list_configs_api_v1_exports_configs_get as get_all
from optimaite_client.api.exports import preview_config_api_v1_exports_configs_config_id_preview_get as preview
from optimaite_client.api.exports import replace_config_api_v1_exports_configs_config_id_put as update
from optimaite_client.api.exports import retrieve_config_api_v1_exports_configs_config_id_retrieve_get as retrieve
from optimaite_client.models import (
    ColumnBody,
    ConfigBody,
    ConfigBodyFiltersType0,
    Error,
    FileFormat,
    ScheduleBody,
    TokenBody,
)

url, key = sys.argv[1:]
client = AuthenticatedClient(url, token=key, timeout=60)
may = ConfigBodyFiltersType0.from_dict({"date_from": "2026-05-01", "date_to": "2026-05-31"})
columns = [ColumnBody("invoice_number", "Invoice #"), ColumnBody("total_gross", "Amount (EUR)")]

made = create.sync(client=client, body=ConfigBody("From a client", "invoices", filters=may, columns=columns))
assert made.filters.to_dict() == may.to_dict()
assert (made.format_, made.schedule, made.last_executed_at) == ("json", None, None)
assert made.id in {config.id for config in get_all.sync(client=client).data}

seen = preview.sync(made.id, client=client)
assert (seen.meta.row_count, len(seen.data)) == (10, 10)
executed = json.loads(execute.sync(made.id, client=client).payload.getvalue())
assert (executed["meta"]["row_count"], len(executed["data"])) == (42, 42)
assert get_one.sync(made.id, client=client).last_executed_at is not None

daily = ConfigBody("From a client", "invoices", format_=FileFormat.XLSX, schedule=ScheduleBody("FREQ=DAILY"))
changed = update.sync(made.id, client=client, body=daily)
assert (changed.schedule.rrule, changed.schedule.timezone) == ("FREQ=DAILY", "UTC")
token = generate_token.sync(made.id, client=client, body=TokenBody(expires_in_hours=24)).token
workbook = retrieve.sync(made.id, client=Client(url, timeout=60), token=token)
assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(io.BytesIO(workbook.payload.getvalue())).namelist()

assert delete.sync_detailed(made.id, client=client).status_code == 204
gone = get_one.sync(made.id, client=client)
assert isinstance(gone, Error)
assert gone.error.code == "CONFIG_NOT_FOUND"
