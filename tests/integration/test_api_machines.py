"""What machines ask: health, metrics, the description of the API, and what happens when Postgres is away."""

import asyncio
import contextlib

import pytest
from api_service import QUICK, Service

from routing.api.app import at_work, create_app, routes, start_site
from routing.api.http.idempotency import Idempotency
from routing.store.database import Pool


async def test_readiness_names_the_part_that_is_missing(service: Service) -> None:
    ready = await service.ask("GET", "/readyz", None)
    service.engine.add_part("ari", lambda: False)
    not_ready = await service.ask("GET", "/readyz", None)

    assert ready.status == 200
    clock = ready.body.pop("clock")
    assert ready.body == {"ready": True, "parts": {"postgres": True, "ari": True, "ami": True, "shard": True}}
    assert (clock["jumps"], clock["last_jump"]) == (0, None)
    assert not_ready.status == 503
    del not_ready.body["clock"]
    assert not_ready.body == {"ready": False, "parts": {"postgres": True, "ari": False, "ami": True, "shard": True}}


async def test_with_postgres_away_requests_are_503_and_liveness_stays(service: Service) -> None:
    await service.token("admin")
    await service.engine.pool.close()

    assert (await service.ask("GET", "/healthz", None)).status == 200
    assert (await service.ask("GET", "/readyz", None)).body["parts"]["postgres"] is False
    answer = await service.ask("GET", "queues")
    assert (answer.status, answer.body["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1")
    assert (await service.ask("GET", "/metrics", None)).status == 200


async def test_metrics_tell_calls_by_state_parts_and_requests(service: Service) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK)
    await service.callback()
    await service.ask("GET", "queues")

    text = (await service.ask("GET", "/metrics", None)).body.decode()

    assert 'ringback_interactions{status="open",subtype="callback"} 1.0' in text
    assert 'ringback_part_up{part="postgres"} 1.0' in text
    assert 'route="/api/v1/queues",status="200"' in text
    for name in (
        "offers_total",
        "attempts_total",
        "accept_to_dial_seconds",
        "event_loop_lag_seconds",
        "events_ignored",
    ):
        assert f"# TYPE ringback_{name.removesuffix('_total')}" in text


async def test_the_description_covers_every_route_and_refers_only_to_what_it_holds(service: Service) -> None:
    described = (await service.ask("GET", "/openapi.json", None)).body

    assert described["openapi"].startswith("3.1")
    for path, route in routes():
        operation = described["paths"][path][route.method.lower()]
        assert operation["summary"]
        assert ("security" in operation) == bool(route.roles)
    assert described["paths"]["/api/v1/interactions/{id}/accept"]["post"]["tags"] == ["interactions"]
    assert described["paths"]["/api/v1/me"]["get"]["tags"] == ["login"]
    assert described["paths"]["/readyz"]["get"]["tags"] == ["service"]
    ids = [each["operationId"] for path in described["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))
    schemas = described["components"]["schemas"]
    assert {"Interaction", "ShownQueue-Output", "Problem"} <= set(schemas)
    for reference in _references(described):
        assert reference.removeprefix("#/components/schemas/") in schemas


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in _references(value)]
    return [each for value in node for each in _references(value)] if isinstance(node, list) else []


async def test_nobody_is_told_which_versions_serve(service: Service) -> None:
    for path in ("/healthz", "/api/v1/agents", "/nowhere"):
        assert (await service.ask("GET", path, None)).headers["Server"] == "Ringback"


async def test_more_connections_than_there_is_room_for_are_ended_at_once_and_room_is_made_again(
    service: Service, pool: Pool
) -> None:
    runner = await start_site(create_app(service.engine, pool, realm="ringback"), "127.0.0.1", 0, most=2)
    at = runner.addresses[0][:2]
    inside = [await asyncio.open_connection(*at) for _ in range(2)]
    reader, writer = await asyncio.open_connection(*at)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    for each in (writer, *(writer for _, writer in inside)):
        each.close()
        await asyncio.wait({asyncio.ensure_future(each.wait_closed())})
    async with asyncio.timeout(5):
        while runner.server and runner.server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with service.http.get(f"http://{at[0]}:{at[1]}/healthz") as response:
        assert response.status == 200
    await runner.cleanup()


async def test_background_work_of_the_api_that_fails_is_noticed(
    service: Service, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Idempotency) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Idempotency, "sweep", fails)
    app = create_app(service.engine, pool, realm="ringback")
    runner = await start_site(app, "127.0.0.1", 0)
    with pytest.raises(RuntimeError, match="a bug"):
        await at_work(app)
    await runner.cleanup()
