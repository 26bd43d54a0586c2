"""What a program does with the client generated from Camunda's document: `camunda.py URL KEY`."""

import sys

from camunda_client import AuthenticatedClient
from camunda_client.api.reports import (
    delete_report_api_public_report_report_id_delete as delete_report,
)
from camunda_client.api.reports import (
    export_report_definitions_api_public_export_report_definition_json_post as export_definitions,
)
from camunda_client.api.reports import (
    export_report_result_api_public_export_report_report_id_result_json_get as export_result,
)
from camunda_client.api.reports import get_report_ids_api_public_report_get as get_ids
from camunda_client.models import Error, ResultAnswer
from camunda_client.types import UNSET

RAW, NUMBER = "e6c5abb1-6a18-44e7-8480-d562d511ba62", "019760a0-0060-7000-8000-000000000001"

url, key = sys.argv[1:]
client = AuthenticatedClient(url, token=key, timeout=60)

records, page = [], export_result.sync(RAW, client=client, limit=4, pagination_timeout=60)
while page.data:
    assert isinstance(page, ResultAnswer)
    assert page.number_of_records_in_response == len(page.data)
    records += page.data
    again = page.search_request_id
    page = export_result.sync(RAW, client=client, limit=4, pagination_timeout=60, search_request_id=again)
assert len(records) == page.total_number_of_records == 11
assert records[0]["processInstanceId"] == "1809"

number = export_result.sync(NUMBER, client=client, limit=4, pagination_timeout=60)
assert number.search_request_id is UNSET
assert [type(value) for value in number.data] == [float]

assert RAW in {report.id for report in get_ids.sync(client=client, collection_id="acme")}
(definition,) = export_definitions.sync(client=client, body=[RAW])
assert (definition.id, definition.export_entity_type) == (RAW, "single_process_report")

refused = delete_report.sync("nothing", client=client)
assert isinstance(refused, Error)
assert refused.error_code == "notFoundError"
