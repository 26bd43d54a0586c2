"""What `serve` and `worker` do first: read the settings, and have a nursery import what children need meanwhile."""

import os
from pathlib import Path

from offtake.jobs.nursery import start_nursery
from offtake.settings import Settings, load_settings, require_secrets

# All that a child imports until it has run a job. What is missing here costs each of them the time it takes.
CHILDREN_IMPORT = (
    "offtake.cli.child",
    "offtake.app",
    "offtake.jobs.queue",
    "offtake.notify",
    "offtake.service.jwks",
    "offtake.store",
    "offtake.web.logs",
)


def read_settings(config: Path) -> Settings:
    """The settings of a command that runs jobs. Raises InvalidConfig, also without a good secret."""
    settings = load_settings(config)
    require_secrets(settings)
    if settings.jobs.concurrency:
        # Whatever Python files lie in the working directory are not what it is to import.
        os.putenv("PYTHONSAFEPATH", "1")
        start_nursery(CHILDREN_IMPORT)
    return settings
