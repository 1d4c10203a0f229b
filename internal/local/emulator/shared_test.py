"""What is read while it grows. TestSharedIsReadWhileItGrows runs it."""

import unittest
from typing import Any

from moto.iam.models import iam_backends

from plugin import shared


class WhileItGrows(unittest.TestCase):
    def test_roles(self):
        shared.install()
        roles: Any = iam_backends["123456789012"]["aws"].roles
        roles.update(a=1, b=2)
        for read, want in (lambda: roles, ["a", "b"]), (roles.keys, ["a", "b"]), (roles.values, [1, 2]), (roles.items, [("a", 1), ("b", 2)]):
            seen = []
            for one in read():
                roles["c"] = 3
                seen.append(one)
            self.assertEqual(seen, want)
            del roles["c"]
