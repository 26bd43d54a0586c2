"""How many examples hypothesis draws: `make test` a quarter of what `make test-slow` does, which draws all again."""

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

THOROUGH = "thorough"
SHARE = 4


def load_profiles() -> None:
    """Unless the command line names the thorough one, the quick one holds."""
    # A shared machine may be slow at any moment: no test fails for the time an example takes.
    patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(THOROUGH, patient)
    settings.register_profile("quick", patient, max_examples=settings.default.max_examples // SHARE)
    settings.load_profile("quick")


def is_thorough() -> bool:
    """Whether this run is to be thorough."""
    return settings.get_current_profile_name() == THOROUGH


def examples(number: int) -> settings:
    """So many of them if thorough."""
    return settings(max_examples=number if is_thorough() else number // SHARE)


def call_drawn_slow(items: list[pytest.Item]) -> None:
    """Have the slow tests, if thorough, be joined by all that draw examples."""
    if is_thorough():
        for item in items:
            if is_hypothesis_test(getattr(item, "obj", None)):
                item.add_marker(pytest.mark.slow)
