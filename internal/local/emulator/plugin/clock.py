"""The one clock of the emulator, by which everything here has its times, with two
gears: it runs at a pace, how many seconds pass in one of the machine's, and it
jumps where nobody's behavior is judged meanwhile.

What is to happen at a time is an event on its timeline (call_at, call_later,
every), or a thread that waits for it (sleep, wait_until); nothing here calls
time.sleep. A jump goes from event to event, so that each sees its own time and
what it plans comes in its turn. A thread that waits is woken when its time has
come, and sees the time at which it runs.
"""

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

# BOOT is how many seconds of the machine's a boot may take, however fast the
# clock runs: instances are programs of this machine, which may be busy. SETTLE is how
# many what comes after it may take longer than on AWS.
BOOT = 60
SETTLE = 10

# LOOK is how many seconds of the machine's pass at most between two looks at a
# condition, for changes that nobody announces.
LOOK = 0.1


class Refused(Exception):
    """What was asked of the clock cannot be done; the message says why."""


class Clock:
    def __init__(self) -> None:
        # The time, at which moment of the machine's, and the pace since: one
        # tuple, so that reading it takes no lock.
        self._base = (time.time(), time.monotonic(), 1.0)
        self._changed = threading.Condition()
        self._version = 0  # grows with whatever may end a wait
        self._running = threading.RLock()  # held while events run, one after the other
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()
        self._clients: list[str] = []
        self._jumped = 0.0
        self.jumps = 0  # how many there were
        self._slowest = self._fastest = 1.0
        threading.Thread(target=self._play, daemon=True).start()

    @property
    def pace(self) -> float:
        return self._base[2]

    def seconds(self) -> float:
        """Since 1970."""
        at, since, pace = self._base
        return at + (time.monotonic() - since) * pace

    def now(self) -> datetime:
        """In UTC, without saying so, as moto has its times."""
        return datetime.fromtimestamp(self.seconds(), timezone.utc).replace(tzinfo=None)

    def start(self, pace: float) -> None:
        """Set the pace that the clock has from the beginning."""
        self.set_pace(pace)
        self._slowest = self._fastest = pace

    def set_pace(self, pace: float) -> None:
        if not pace >= 1:
            raise Refused(f"the clock cannot run at pace {pace:g}: want 1, as on AWS, or more")
        with self._changed:
            self._set(self.seconds(), pace)
            self._slowest, self._fastest = min(self._slowest, pace), max(self._fastest, pace)

    def advance(self, seconds: float) -> None:
        """Jump ahead, and return when what was to happen in the span has happened."""
        if not seconds >= 0:
            raise Refused(f"the clock cannot jump by {seconds:g} s: want 0 or more")
        with self._running:
            if self._clients:
                raise Refused(
                    f"the clock cannot jump while a load client is registered ({', '.join(self._clients)}), which would"
                    " measure a time that did not pass: end it first, or change the pace"
                )
            self.jumps += 1
            until = self.seconds() + seconds
            self._run(until)
            self._jump(until)

    def register(self, client: str) -> None:
        """Forbid jumps from now on."""
        with self._running:  # a jump ends first
            if client in self._clients:
                raise Refused(f"a load client {client} is registered already")
            self._clients.append(client)

    def unregister(self, client: str) -> None:
        with self._running:
            if client not in self._clients:
                raise Refused(f"no load client {client} is registered")
            self._clients.remove(client)

    def describe(self) -> dict[str, object]:
        """The time, the gears that were used to come here, and who forbids to jump."""
        return {
            "now": self.now().isoformat(timespec="microseconds") + "Z",
            "pace": self.pace,
            "slowest": self._slowest,
            "fastest": self._fastest,
            "jumped": self._jumped,
            "clients": list(self._clients),
        }

    def call_at(self, at: float, action: Callable[[], object]) -> None:
        """Have action called at a time, in the timeline's thread or in that of a jump.
        Actions are called one after the other; one that fails is printed."""
        with self._changed:
            heapq.heappush(self._events, (at, next(self._number), action))
            self._announce()

    def call_later(self, seconds: float, action: Callable[[], object]) -> None:
        self.call_at(self.seconds() + seconds, action)

    def every(self, seconds: float, action: Callable[[], object]) -> None:
        """Have action called at each multiple of so many seconds: each minute when it
        begins."""

        def call(at: float) -> None:
            self.call_at(at + seconds, lambda: call(at + seconds))
            action()

        first = (self.seconds() // seconds + 1) * seconds
        self.call_at(first, lambda: call(first))

    def sleep(self, seconds: float) -> None:
        self.wait_until(self.seconds() + seconds)

    def wait_until(self, at: float, ready: Callable[[], Any] | None = None) -> Any:
        """Wait until ready, if it is given, returns something true, or until a time.
        Returns what ready returned. It is asked whenever the clock was changed or
        something was announced, and again when the time has come."""
        while True:
            version, left = self._version, at - self.seconds()
            answer = ready and ready()
            if answer or left <= 0:
                return answer
            with self._changed:
                if version == self._version:
                    self._changed.wait(min(left / self.pace, LOOK) if ready else left / self.pace)

    def announce(self) -> None:
        """Wake who waits: something that they look at has changed."""
        with self._changed:
            self._announce()

    def booting(self, seconds: float) -> float:
        """How many seconds an instance that boots is given, of AWS's so many."""
        return max(seconds, BOOT * self.pace)

    def settling(self, seconds: float) -> float:
        """How many seconds an instance that has booted is given, of AWS's so many."""
        return seconds + SETTLE * self.pace

    def _announce(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _set(self, at: float, pace: float) -> None:
        self._base = (at, time.monotonic(), pace)
        self._announce()

    def _jump(self, at: float) -> None:
        with self._changed:
            ahead = at - self.seconds()
            if ahead > 0:
                self._jumped += ahead
                self._set(at, self.pace)

    def _run(self, until: float) -> None:
        """Run the events up to a time, and be at the time of each."""
        with self._running:
            while True:
                with self._changed:
                    if not self._events or self._events[0][0] > until:
                        return
                    at, _, action = heapq.heappop(self._events)
                self._jump(at)
                try:
                    action()
                except Exception:
                    traceback.print_exc()

    def _play(self) -> None:
        while True:
            with self._changed:
                left = self._events[0][0] - self.seconds() if self._events else None
                if left is None or left > 0:
                    self._changed.wait(None if left is None else left / self.pace)
                    continue
            self._run(self.seconds())


clock = Clock()
