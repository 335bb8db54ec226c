"""Every state of an interaction that can be reached, and the document drawn from it."""
