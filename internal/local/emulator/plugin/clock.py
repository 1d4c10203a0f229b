"""The clock of what the emulator keeps times of: metrics, schedules and instance
refreshes. It may run faster than the machine's."""

import time
from datetime import datetime, timezone

# pace is how many seconds pass here in one of the machine's.
pace = 1.0
_began = time.time()


def now():
    """In UTC, without saying so, as moto has its times."""
    return datetime.fromtimestamp(_began + (time.time() - _began) * pace, timezone.utc).replace(tzinfo=None)
