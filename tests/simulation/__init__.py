"""The service in a world of its own: virtual time, simulated Asterisk and Postgres, one seed for all that happens."""
