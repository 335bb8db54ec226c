"""Postgres, Asterisk and the service on one machine: what prepares, looks after, runs and guards them."""
