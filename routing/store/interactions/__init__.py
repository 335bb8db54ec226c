"""Interactions as rows: read whole (`loading`, `rows`), and a decision stored in one statement (`saving`)."""

from routing.store.interactions.loading import (
    Unread,
    due_until,
    known_legs,
    load,
    load_living,
    pending,
    stored_before_jump,
)
from routing.store.interactions.saving import Ownership, create, save

__all__ = [
    "Ownership",
    "Unread",
    "create",
    "due_until",
    "known_legs",
    "load",
    "load_living",
    "pending",
    "save",
    "stored_before_jump",
]
