"""Makes a started Postgres ready for the service: schema, admin token, demo seed."""

from routing.core.errors import RingbackError
from routing.local.postgres.server import Postgres
from routing.local.system.credentials import Credentials
from routing.local.system.errors import SetupError
from routing.local.system.home import Home, write_secret


async def prepare_database(postgres: Postgres, home: Home, credentials: Credentials, *, demo: bool) -> None:
    """Safe to repeat: nothing that exists is changed. Raise SetupError for a schema that is not ours."""
    from routing.store.migrate import migrate

    try:
        await migrate(postgres.dsn)
    except RingbackError as error:
        raise SetupError(f"{home.postgres}: {error}") from None
    if not home.admin_token.exists():
        from routing.store.tokens import create_token

        write_secret(home.admin_token, await create_token(postgres.service_dsn, "admin", None) + "\n")
    if demo:
        from routing.store.seed import seed_demo

        await seed_demo(postgres.service_dsn, credentials.agents)
