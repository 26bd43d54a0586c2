"""The couriers: threads that send deliveries as they become due. Any number of processes may have some."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from offtake.errors import OfftakeError, Unavailable
from offtake.model.delivery import DeliveryState
from offtake.service.deliveries import deliver_next, prune
from offtake.service.runtime import Runtime

COURIERS = 3  # a receiver that takes its time holds only one of them up
LOOK_S = 1.0
PRUNE_EVERY = 3600  # looks that found nothing

TellBug = Callable[[BaseException], None]


def start_couriers(runtime: Runtime, stopping: threading.Event, log: Any, tell_bug: TellBug) -> None:
    """Send from now on until `stopping` is set. What is being sent when the process ends is sent again by the next."""
    for n in range(COURIERS):
        given = (runtime, stopping, log, tell_bug)
        threading.Thread(target=deliver_forever, args=given, name=f"courier-{n}", daemon=True).start()


def deliver_forever(runtime: Runtime, stopping: threading.Event, log: Any, tell_bug: TellBug) -> None:
    """One courier: send whatever is due, then look again a little later."""
    looks = random.randrange(PRUNE_EVERY)  # noqa: S311
    while not stopping.is_set():
        if deliver_once(runtime, log, tell_bug):
            continue
        looks = (looks + 1) % PRUNE_EVERY
        if looks == 0:
            with suppress(OfftakeError):
                prune(runtime)
        stopping.wait(LOOK_S * random.uniform(0.8, 1.2))  # noqa: S311


def deliver_once(runtime: Runtime, log: Any, tell_bug: TellBug) -> bool:
    """Try one delivery; False if there is nothing to do for now. It raises nothing: no courier ends for good."""
    try:
        delivery = deliver_next(runtime)
    except Unavailable:
        return False
    except Exception as error:
        tell_bug(error)
        return False
    if delivery is None:
        return False
    told = log.info if delivery.state is DeliveryState.SUCCEEDED else log.warning
    told("delivery", id=delivery.id, channel=delivery.channel, state=delivery.state, attempts=delivery.attempts)
    return True
