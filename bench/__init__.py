"""Measured against the raw floor: `python -m bench` (make bench). The figures are kept in RESULTS.md."""
