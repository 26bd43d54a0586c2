"""What was told already, for a minute."""

import time


class Repeats:
    """Refusals that were written down this minute: who hammers at a closed door must not fill the disk."""

    def __init__(self) -> None:
        self._minute = 0
        self._told: set[tuple[str | None, ...]] = set()

    def is_one(self, *refusal: str | None) -> bool:
        """Whether the very same was told this minute; from now on it was."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._told = minute, set()
        is_told = refusal in self._told
        self._told.add(refusal)
        return is_told
