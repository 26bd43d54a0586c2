"""What happens as time goes on: due instants are taken, their exports put into the queue, their ends written down.

Any number of processes may do this at once. Each step is one transaction, so that whichever process dies in between
neither loses an instant nor runs it twice.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from offtake.appdb import schedule_runs as table
from offtake.appdb.schedules import due_schedules, end_schedule, find_schedule
from offtake.errors import InvalidRequest, OfftakeError
from offtake.model.access import Principal
from offtake.model.export import ExportRequest
from offtake.model.job import ExportJob, JobState
from offtake.model.ports import Stop
from offtake.model.schedule import RUN_STATES, CatchUp, Overlap, RunState, Schedule, ScheduleRun, Window
from offtake.query.instants import instants_after
from offtake.service.access import present_principal
from offtake.service.datasets import plan_request
from offtake.service.definitions import find_definition, run_definition, runnable_request
from offtake.service.deltas import count_late, delay_s, narrow_request, next_window
from offtake.service.downloads import deadline
from offtake.service.exports import Submission
from offtake.service.notices import tell_owner
from offtake.service.runtime import Runtime

ON_TIME = timedelta(minutes=1)  # later than this, an instant was missed
MOST_CAUGHT_UP = 100
AGAIN = timedelta(seconds=15)
PATIENCE = timedelta(minutes=15)  # for a source or a day's limit that may come back
COUNT_FOR_S = 300
KEPT = timedelta(days=90)


def take_due(runtime: Runtime) -> int:
    """Take every instant that has come, or note that it was missed; gives how many schedules moved on."""
    now = runtime.now()
    return sum(_take(runtime, schedule, now) for schedule in due_schedules(runtime.appdb, now))


def _take(runtime: Runtime, schedule: Schedule, now: datetime) -> bool:
    try:
        passed, number, following = _passed(schedule, now)
    except InvalidRequest:  # no longer readable: time zones and our own rules change
        end_schedule(runtime.appdb, schedule.id, now)
        return True
    chosen = _chosen(schedule, passed, now)
    waiting = ScheduleRun(schedule.id, now, schedule.tenant, RunState.WAITING, now, retry_at=now)
    runs = [replace(waiting, instant=instant) for instant in chosen]
    missed = number - len(chosen)
    if missed:
        told = f"{missed} instants passed while no service ran." if missed > 1 else "No service ran at that instant."
        last = passed[-len(chosen) - 1]
        runs.append(ScheduleRun(schedule.id, last, schedule.tenant, RunState.SKIPPED, now, told, finished_at=now))
    return table.take_instants(runtime.appdb, schedule, runs, next_at=following, last_at=passed[-1])


def _passed(schedule: Schedule, now: datetime) -> tuple[Sequence[datetime], int, datetime | None]:
    """The latest instants that have come, how many have in all, and the one after them."""
    assert schedule.next_at is not None
    passed = deque([schedule.next_at], MOST_CAUGHT_UP + 1)
    number = 1
    for instant in instants_after(schedule.draft.timetable, schedule.next_at):
        if instant > now:
            return passed, number, instant
        passed.append(instant)
        number += 1
    return passed, number, None


def _chosen(schedule: Schedule, passed: Sequence[datetime], now: datetime) -> list[datetime]:
    """Those that are run, by the schedule's policy of catching up."""
    match schedule.draft.catch_up:
        case CatchUp.SKIP:
            return [instant for instant in passed if now - instant <= ON_TIME]
        case CatchUp.ONE:
            return [passed[-1]]
        case CatchUp.ALL:
            return list(passed)[-schedule.draft.catch_up_limit :]


def runs_to_launch(runtime: Runtime) -> tuple[ScheduleRun, ...]:
    """Runs whose export is to be put into the queue now: at most one of each schedule."""
    return table.waiting_runs(runtime.appdb, runtime.now())


def launch_run(runtime: Runtime, run: ScheduleRun) -> None:
    """Put the run's export into the queue with its owner's present rights, or write down why not.

    What may pass, such as a source that does not answer, is tried again for a while. Raises only Unavailable and bugs.
    """
    schedule = find_schedule(runtime.appdb, run.schedule_id)
    if schedule is None:
        table.end_run(runtime.appdb, run, RunState.CANCELLED, runtime.now(), reason="The schedule was deleted.")
        return
    if not _is_free(runtime, schedule, run):
        return
    now = runtime.now()
    try:
        _submit(runtime, schedule, run)
    except table.OvertakenError:
        return
    except OfftakeError as error:
        if error.retryable and now - run.created_at < PATIENCE:
            table.postpone_run(runtime.appdb, run, error.detail, now + AGAIN)
        else:
            _fail(runtime, run, error.detail, schedule)
    except Exception:
        table.postpone_run(runtime.appdb, run, "Something went wrong on our side.", now + PATIENCE)
        raise


def _is_free(runtime: Runtime, schedule: Schedule, run: ScheduleRun) -> bool:
    """Whether the run before is out of the way, as the schedule's policy of overlapping has it."""
    overlap = schedule.draft.overlap
    if overlap is Overlap.ALLOW or not table.is_at_work(runtime.appdb, schedule.id):
        return True
    if overlap is Overlap.SKIP:
        _skip(runtime, run, "The run before was still at work.")
    return False


def _submit(runtime: Runtime, schedule: Schedule, run: ScheduleRun) -> None:
    owner = present_principal(runtime, schedule.owner)
    request = runnable_request(find_definition(runtime, owner, schedule.draft.definition_id))
    # Relative dates mean the instant, however late it is by now.
    then = replace(runtime, now=lambda: run.instant)
    window, stop, delay = None, Stop(), timedelta()
    with deadline(COUNT_FOR_S, stop, "look at the new rows"):
        if schedule.draft.delta is not None:
            window = next_window(then, owner, request, schedule, run.instant, stop)
            if window is None:
                return _skip(runtime, run, "Nothing new can be there yet.")
            window = _with_late_rows(then, owner, request, schedule, window, stop)
            request = narrow_request(request, window)
            delay = timedelta(seconds=delay_s(window, schedule.draft.delta))
        if schedule.draft.skip_if_empty and _is_empty(then, owner, request, stop):
            return _skip(runtime, run, "There were no rows.")

    def within(connection: Any, job: ExportJob) -> None:
        table.launch_run(connection, schedule, run, job, window)

    how = Submission(
        start_at=runtime.now() + delay if delay else None,
        instant=run.instant,
        within=within,
        deliveries=schedule.draft.deliveries,
    )
    run_definition(runtime, owner, schedule.draft.definition_id, how, change=lambda _: request)
    return None


def _with_late_rows(
    then: Runtime, owner: Principal, request: ExportRequest, schedule: Schedule, window: Window, stop: Stop
) -> Window:
    delivered = table.find_delivered(then.appdb, schedule.id)
    if delivered is None or delivered.window is None or delivered.window.until != window.after:
        return window
    return replace(window, late_rows=count_late(then, owner, request, delivered, stop))


def _is_empty(then: Runtime, owner: Principal, request: ExportRequest, stop: Stop) -> bool:
    source, plan = plan_request(then, owner, request)
    return not source.count(plan, stop)


def _skip(runtime: Runtime, run: ScheduleRun, reason: str) -> None:
    table.end_run(runtime.appdb, run, RunState.SKIPPED, runtime.now(), reason=reason)


def _fail(runtime: Runtime, run: ScheduleRun, reason: str, schedule: Schedule | None = None) -> None:
    table.end_run(
        runtime.appdb,
        run,
        RunState.FAILED,
        runtime.now(),
        reason=reason,
        window=run.window,
        also=lambda connection: tell_owner(runtime, connection, run, reason, schedule),
    )


def settle_runs(runtime: Runtime) -> int:
    """Write down how runs ended whose jobs have; a delta that succeeded moves its schedule's watermark. How many."""
    ended = table.ended_jobs(runtime.appdb)
    for each in ended:
        _settle(runtime, each)
    return len(ended)


def _settle(runtime: Runtime, ended: table.EndedJob) -> None:
    run = ended.run
    match ended.state:
        case JobState.FAILED:
            _fail(runtime, run, ended.reason)
        case None:
            told = "Its export was deleted before it was known how it ended."
            table.end_run(runtime.appdb, run, RunState.CANCELLED, runtime.now(), reason=told, window=run.window)
        case state:
            window = run.window if run.window is None else replace(run.window, rows=ended.rows)
            table.end_run(runtime.appdb, run, RUN_STATES[state], runtime.now(), window=window)


def forget_old_runs(runtime: Runtime) -> int:
    """Forget runs that ended 90 days ago; gives how many."""
    return table.prune_runs(runtime.appdb, runtime.now() - KEPT)
