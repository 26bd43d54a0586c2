"""What a program does with the client generated from Altafid's document: `altafid.py URL KEY`."""

import io
import sys
import zipfile

from altafid_client import AuthenticatedClient
from altafid_client.api.exports import export_table_api_exports_entity_post as export_table
from altafid_client.models import (
    ColumnType,
    Direction,
    Error,
    ExportColumn,
    ExportSort,
    FileFormat,
    FilterCondition,
    TabularExportRequest,
    ViewState,
)

url, key = sys.argv[1:]
client = AuthenticatedClient(url, token=key, timeout=60)
columns = [
    ExportColumn("firstName", label="First Name", type_=ColumnType.STRING),
    ExportColumn("createdAt", label="Created", type_=ColumnType.DATE_TIME),
]
view = ViewState(columns, ExportSort("createdAt", Direction.DESC))
few = [FilterCondition("stage", "equals", "Client"), FilterCondition("city", "in", values=["Santiago"])]

wish = TabularExportRequest(FileFormat.CSV, view, filters=few)
answer = export_table.sync_detailed("contacts", client=client, body=wish, x_user_type="TENANT_STAFF")
assert answer.status_code == 200, answer
assert answer.headers["content-type"] == "text/csv;charset=UTF-8"
assert answer.parsed.payload.getvalue().startswith(b"First Name,Created\n")

households = TabularExportRequest(FileFormat.XLSX, ViewState([ExportColumn("name")]), locale="es-CL")
workbook = export_table.sync("households", client=client, body=households)
assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(io.BytesIO(workbook.payload.getvalue())).namelist()

refused = export_table.sync("contacts", client=client, body=TabularExportRequest(FileFormat.CSV, ViewState([])))
assert isinstance(refused, Error)
assert (refused.status, refused.code) == (400, "NO_COLUMNS")
