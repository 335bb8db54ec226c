"""Bodies and queries become models, or a list of what is wrong with them."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from routing.api.agents.bodies import Agent
from routing.api.http.errors import InvalidFields
from routing.api.http.reading import parse_body, parse_query
from routing.api.interactions.bodies import HomeList
from routing.core.errors import Invalid
from routing.core.interaction import Status
from routing.core.queues import Queue


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int = 0
    share: float = 0.0
    odd: Annotated[dict[str, int], Field(default_factory=dict)]


@pytest.mark.parametrize(("raw", "count"), [(b'{"count": 7}', 7), (b'{"count": 7.0}', 7), (b'{"count": 70e-1}', 7)])
def test_a_whole_number_may_be_written_as_a_fraction(raw: bytes, count: int) -> None:
    assert parse_body(Part, raw).count == count


def test_an_integer_will_do_for_a_fraction() -> None:
    assert parse_body(Part, b'{"share": 3}').share == 3.0


@pytest.mark.parametrize("raw", [b'{"count": "7"}', b'{"count": 7.5}', b'{"count": true}', b'{"count": null}'])
def test_nothing_else_is_turned_into_a_number(raw: bytes) -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_body(Part, raw)

    assert [error.pointer for error in refused.value.errors] == ["/count"]


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"nul", b'{"count": NaN}', b'{"share": 1e999}', b"\xff", b'{"count": ' + b"9" * 5000 + b"}",
        b"[" * 60_000, b'{"odd":' * 9_000 + b"1" + b"}" * 9_000, b'{"\\ud800": 1}',
    ],
)  # fmt: skip
def test_what_is_not_json_as_we_know_it_is_invalid(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_body(Part, raw)


def test_pointers_are_escaped_and_lead_to_what_was_sent() -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_body(Part, b'{"odd": {"a/b~c": "x"}, "more": 1}')

    assert sorted(error.pointer for error in refused.value.errors) == ["/more", "/odd/a~1b~0c"]


def test_pointers_do_not_name_the_branches_of_unions() -> None:
    step = '{"after": 1, "menu": "offer", "keys": {"3": {"hangup": {"say": "NO"}}}}'
    with pytest.raises(InvalidFields) as refused:
        parse_body(Queue, f'{{"name": "a", "workflow": {{"steps": [{step}]}}}}'.encode())

    pointers = {error.pointer for error in refused.value.errors}
    assert "/workflow/steps/0/keys/3/hangup/say" in pointers
    assert all(pointer.startswith("/workflow/steps/0/keys/3") for pointer in pointers)


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_body(Agent, b'{"id": 1, "name": 2, "password": "x", "skils": []}')

    assert [error.pointer for error in refused.value.errors] == ["/id", "/name", "/password", "/skils"]


def test_what_was_sent_is_not_repeated_in_the_answer() -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_body(Agent, b'{"password": "hunter2"}')

    assert "hunter2" not in str(refused.value.errors)


def test_a_query_parameter_may_be_repeated_where_that_means_something() -> None:
    asked = parse_query(HomeList, [("status", "open"), ("limit", "3"), ("status", "bot")])

    assert asked.status == (Status.OPEN, Status.BOT)
    assert asked.limit == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "0"), ("limit", "201"), ("limit", "x"), ("status", "nope"), ("stauts", "open"), ("cursor", "\x00")],
)
def test_a_wrong_query_parameter_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_query(HomeList, [(name, value)])

    assert refused.value.errors[0].pointer.startswith(f"/{name}")
