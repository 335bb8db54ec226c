"""Runs the core: one mailbox per living interaction, each event decided, stored and only then acted upon."""
