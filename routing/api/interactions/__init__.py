"""The Home List, one interaction with its story, and what agents do with it."""
