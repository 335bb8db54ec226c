"""Pure: what an interaction is and what becomes of it. No clock, no randomness, no I/O, no logs."""
