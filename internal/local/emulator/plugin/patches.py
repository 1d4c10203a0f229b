"""How the modules here change moto: each says what it replaces and what it adds, so
that another moto is noticed at start."""

from typing import Any


def replace(owner: Any, **members: Any) -> None:
    """Replace members that owner has."""
    for name, member in members.items():
        if not hasattr(owner, name):
            raise AttributeError(f"{owner.__name__} has no {name} to replace: moto has changed")
        setattr(owner, name, member)


def add(owner: Any, **members: Any) -> None:
    """Add members that owner lacks."""
    for name, member in members.items():
        if hasattr(owner, name):
            raise AttributeError(f"{owner.__name__} has a {name} of its own now: moto has changed")
        setattr(owner, name, member)
