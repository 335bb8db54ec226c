"""What a role may do beyond the work its routes are for, by name. Whoever is not named here may not."""

from enum import StrEnum

from routing.store.tokens import Role


class Permission(StrEnum):
    """Each is asked for somewhere: there are no names for what is not built."""

    PII_READ = "pii:read"
    """Sees every number in full, and what is found out by one."""
    AGENT_RELEASE = "agent:release"
    """Ends any call, and takes from any agent what they are at."""


HOLDERS: dict[Permission, frozenset[Role]] = {
    Permission.PII_READ: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    Permission.AGENT_RELEASE: frozenset({Role.SUPERVISOR, Role.ADMIN}),
}
