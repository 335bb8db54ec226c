"""The description of the API keeps its names when the code moves: clients are made from it."""

from importlib import import_module

import pytest

from routing.api.app import routes
from routing.api.http import openapi


@pytest.mark.parametrize("moved", openapi.NAMES)
def test_what_is_said_to_be_elsewhere_is_where_it_is(moved: str) -> None:
    module, _, name = moved.rpartition(".")
    assert f"{getattr(import_module(module), name).__module__}.{name}" == moved


def test_two_of_one_name_are_called_what_they_were_called_first() -> None:
    schemas = openapi.document(routes())["components"]["schemas"]
    assert {name for name in schemas if "__" in name} == {
        "routing__queues__Switches",
        "routing__api__bodies__Switches",
    }
