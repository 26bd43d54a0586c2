"""The export configuration that Optimaite's page shows, under the id it has there."""

from offtake.model.export import DateRange, ExportRequest, FieldChoice
from offtake.model.filter import Condition, Operator
from offtake.model.saved import Draft
from offtake.service.wishes import which_rows

REQUEST = ExportRequest(
    "invoices",
    "xlsx",
    fields=(
        FieldChoice("invoice_number", "Invoice #"),
        FieldChoice("case_name", "Case"),
        FieldChoice("party_name", "Client"),
        FieldChoice("total_gross", "Amount (EUR)"),
        FieldChoice("paid_at", "Paid Date"),
    ),
    filter=Condition("status", Operator.IEQ, ("paid",)),
    date_range=DateRange("2026-05-01", "2026-05-31", inclusive=True),
    filename="Monthly Revenue Report_{date}",
    options={"header": "label"},
)
CONFIGS = {
    "019760a0-00a0-7000-8000-0000000000a0": Draft(
        "Monthly Revenue Report",
        REQUEST,
        "Revenue grouped by case for the current month",
        dialect="optimaite",
        external_id="exp_01ABCDEFG",
        extra={
            "filters": {"date_from": "2026-05-01", "date_to": "2026-05-31", "status": "paid"},
            "read_as": which_rows(REQUEST),
        },
    )
}
