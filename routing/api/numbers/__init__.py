"""Which numbers are called, and the do-not-call list."""
