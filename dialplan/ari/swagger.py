"""Reads Asterisk's own Swagger 1.1 files (`rest-api/*.json`) into plain records for `generate`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Property:
    """One field of a model; `type` is Swagger's word (`List[string]`, `Channel`, ...)."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class Model:
    """One JSON object; `parent` is set for what can come as a message of the events websocket."""

    name: str
    description: str
    properties: tuple[Property, ...]
    parent: str | None


@dataclass(frozen=True)
class Parameter:
    """One argument of an operation; `where` is path, query or body."""

    name: str
    type: str
    where: str
    required: bool
    multiple: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One request; `nickname` is what ari-py called the method."""

    nickname: str
    method: str
    path: str
    summary: str
    returns: str
    parameters: tuple[Parameter, ...]
    errors: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Api:
    """Everything the files describe; `resources` by file name without suffix (`channels`, ...)."""

    version: str
    models: tuple[Model, ...]
    resources: dict[str, tuple[Operation, ...]]


def read(directory: Path) -> Api:
    """Raises FileNotFoundError when the directory holds no `resources.json`."""
    index = json.loads((directory / "resources.json").read_text())
    names = [Path(entry["path"]).stem for entry in index["apis"]]
    files = {name: json.loads((directory / f"{name}.json").read_text()) for name in names}
    raw = {name: model for file in files.values() for name, model in file["models"].items()}
    parents = {child: name for name, model in raw.items() for child in model.get("subTypes", ())}
    return Api(
        version=index["apiVersion"],
        models=tuple(_model(name, model, parents.get(name)) for name, model in raw.items()),
        resources={name: _operations(file) for name, file in files.items()},
    )


def snake(name: str) -> str:
    """`sendDTMF` becomes `send_dtmf`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _model(name: str, raw: dict[str, Any], parent: str | None) -> Model:
    properties = tuple(
        Property(key, value["type"], bool(value.get("required"))) for key, value in raw["properties"].items()
    )
    return Model(name, raw.get("description", ""), properties, parent)


def _operations(file: dict[str, Any]) -> tuple[Operation, ...]:
    return tuple(
        _operation(api["path"], raw)
        for api in file["apis"]
        for raw in api["operations"]
        if "upgrade" not in raw  # the websocket itself: dialplan.ari.connection
    )


def _operation(path: str, raw: dict[str, Any]) -> Operation:
    return Operation(
        nickname=raw["nickname"],
        method=raw["httpMethod"],
        path=path,
        summary=raw["summary"],
        returns=raw["responseClass"],
        parameters=tuple(_parameter(parameter) for parameter in raw.get("parameters", ())),
        errors=tuple((int(error["code"]), error["reason"]) for error in raw.get("errorResponses", ())),
    )


def _parameter(raw: dict[str, Any]) -> Parameter:
    allowed = raw.get("allowableValues", {})
    return Parameter(
        name=raw["name"],
        type=raw["dataType"],
        where=raw["paramType"],
        required=bool(raw.get("required")) or raw["paramType"] == "path",
        multiple=bool(raw.get("allowMultiple")),
        values=tuple(allowed.get("values", ())) if allowed.get("valueType") == "LIST" else (),
    )
