"""What goes wrong while preparing or running Ringback on this machine, as one line a person can act on."""


class SetupError(Exception):
    """Something this machine lacks or refuses; the message is one line and says how to mend it."""
