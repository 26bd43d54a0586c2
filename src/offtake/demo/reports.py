"""Reports on processes, under the ids that Camunda's page shows and some of our own."""

from offtake.model.dataset import Sort
from offtake.model.export import DatePart, ExportRequest, FieldChoice, Grouping, Measure, MeasureFn
from offtake.model.filter import Condition, Operator
from offtake.model.saved import Draft

RAW, ALSO_RAW = "e6c5abb1-6a18-44e7-8480-d562d511ba62", "e6c5aaa1-6a18-44e7-8480-d562d511ba62"
NUMBER, MAP, HYPER_MAP, COMBINED, LARGE, MONTHS = (f"019760a0-0060-7000-8000-00000000000{n}" for n in range(1, 7))
FIELDS = (
    *("processDefinitionKey", "processDefinitionId", "processInstanceId", "businessKey", "startDate", "endDate"),
    *("duration", "engineName", "tenantId", "variables"),
)


def _of(process: str) -> Condition:
    return Condition("processDefinitionKey", Operator.EQ, (process,))


def _raw(process: str, *sort: Sort) -> ExportRequest:
    return ExportRequest(
        "process_instances",
        "json",
        fields=tuple(map(FieldChoice, FIELDS)),
        filter=_of(process),
        sort=sort or None,
        timezone="Europe/Helsinki",
    )


def _grouped(measure: Measure, *groups: Grouping, process: str | None = None) -> ExportRequest:
    where = None if process is None else _of(process)
    return ExportRequest("process_instances", "json", filter=where, group_by=groups, measures=(measure,))


_COUNT, _AVERAGE = Measure(MeasureFn.COUNT), Measure(MeasureFn.AVG, "duration")
_PROCESS, _ENGINE = Grouping("processDefinitionKey"), Grouping("engineName")
_MONTH = Grouping("startDate", DatePart.MONTH)

# Of acme, by id. The raw one is sorted as on the page.
REPORTS = {
    RAW: Draft(
        "aProcess: all instances",
        _raw("aProcess", Sort("processDefinitionId"), Sort("startDate", descending=True)),
        dialect="camunda",
        external_id=ALSO_RAW,
    ),
    LARGE: Draft("orderFulfilment: all instances", _raw("orderFulfilment")),
    NUMBER: Draft("invoiceApproval: average duration", _grouped(_AVERAGE, process="invoiceApproval")),
    MAP: Draft("Average duration by process", _grouped(_AVERAGE, _PROCESS)),
    HYPER_MAP: Draft("Instances by process and engine", _grouped(_COUNT, _PROCESS, _ENGINE)),
    MONTHS: Draft("orderFulfilment: instances by month", _grouped(_COUNT, _MONTH, process="orderFulfilment")),
    COMBINED: Draft("Two maps", ExportRequest(""), members=(MAP, MONTHS)),
}
