"""What clients send to log in."""

from typing import Annotated

from pydantic import Field

from routing.api.http.fields import NO_NUL, Sent


class Login(Sent):
    user: Annotated[str, Field(max_length=200, pattern=NO_NUL)]
    password: Annotated[str, Field(max_length=200, pattern=NO_NUL)]
