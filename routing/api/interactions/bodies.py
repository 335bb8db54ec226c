"""What clients send about interactions: the query of the Home List, and how work ended."""

from typing import Annotated

from pydantic import Field

from routing.api.http.fields import NO_NUL, Sent, Text
from routing.api.http.page import Paged
from routing.core.interaction import Status, Subtype
from routing.core.queues import Slug
from routing.store.read.home_list import Order


class Done(Sent):
    """How the work ended."""

    disposition: Slug | None = None
    note: Text | None = None


class HomeList(Paged):
    """Without `status` everything that is not closed. `status` may be repeated."""

    status: Annotated[tuple[Status, ...], Field(max_length=7)] = ()
    subtype: Subtype | None = None
    queue: Annotated[str, Field(max_length=64, pattern=NO_NUL)] | None = None
    assigned_to: Annotated[str, Field(max_length=32, pattern=NO_NUL)] | None = None
    number: Annotated[str, Field(max_length=40, pattern=NO_NUL)] | None = None
    q: Annotated[str, Field(max_length=100, pattern=NO_NUL)] | None = None
    order: Order = Order.NEWEST
