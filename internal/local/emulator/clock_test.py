"""The clock's timeline: what a jump does to what was planned. TestTimeline runs it."""

import threading
import unittest
from unittest import mock

from plugin.clock import Clock, Refused


class Timeline(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.began = self.clock.seconds()
        self.seen = []

    def see(self, what):
        # A busy machine takes some time, too.
        self.seen.append((what, int(self.clock.seconds() - self.began) // 10 * 10))

    def test_events_see_their_own_time_and_what_they_plan_comes_in_its_turn(self):
        self.clock.call_later(300, lambda: self.see("c"))
        self.clock.call_later(100, lambda: (self.see("a"), self.clock.call_later(100, lambda: self.see("b"))))
        self.clock.call_later(1000, lambda: self.see("late"))
        self.clock.advance(600)
        self.assertEqual(self.seen, [("a", 100), ("b", 200), ("c", 300)])

    def test_every_minute_of_a_jump_begins(self):
        minutes, first = [], self.began // 60 + 1
        self.clock.every(60, lambda: minutes.append(self.clock.seconds() // 60))
        self.clock.advance(600)
        self.assertEqual(minutes[:10], [first + n for n in range(10)])

    def test_an_event_that_fails_stops_none(self):
        self.clock.call_later(100, lambda: 1 / 0)
        self.clock.call_later(200, lambda: self.see("next"))
        self.clock.advance(600)
        self.assertEqual(self.seen, [("next", 200)])

    def test_a_jump_wakes_who_sleeps(self):
        thread = threading.Thread(target=self.clock.sleep, args=[3600], daemon=True)
        thread.start()
        self.clock.advance(3600)
        thread.join(60)
        self.assertFalse(thread.is_alive())

    def test_who_waits_is_told_of_what_is_announced_and_of_the_end(self):
        asked, ended = threading.Event(), []

        def ready():
            answer = list(self.seen)
            asked.set()
            return answer

        thread = threading.Thread(target=lambda: ended.append(self.clock.wait_until(self.began + 3600, ready)), daemon=True)
        with mock.patch("plugin.clock.LOOK", 3600):
            thread.start()
            asked.wait(60)
            self.see("something")
            self.clock.announce()
            thread.join(60)
        self.assertEqual(ended, [self.seen])
        self.clock.advance(3600)
        self.assertFalse(self.clock.wait_until(self.began + 3600, lambda: False))

    def test_time_goes_on_from_where_it_is(self):
        self.clock.set_pace(1000)
        self.clock.advance(600)
        self.clock.set_pace(1)
        passed = self.clock.seconds() - self.began
        self.clock.sleep(0.01)
        self.assertGreaterEqual(self.clock.seconds() - self.began, passed)
        self.assertGreaterEqual(passed, 600)

    def test_a_boot_takes_the_machines_time(self):
        self.assertEqual(self.clock.booting(300), 300)
        self.clock.set_pace(10)
        self.assertEqual(self.clock.booting(300), 600)
        self.assertEqual(self.clock.settling(300), 400)

    def test_no_jump_under_load(self):
        self.clock.register("readers")
        self.clock.call_later(10, lambda: self.see("judged"))
        with self.assertRaises(Refused):
            self.clock.advance(600)
        self.assertEqual(self.seen, [])
