"""Lists page after page: what is asked for, and what is told."""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import Field

from routing.api.http.fields import NO_NUL, Sent

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


class Paged(Sent):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=400, pattern=NO_NUL)] | None = None
