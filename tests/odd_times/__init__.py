"""The suites at odd times and in odd places: on a machine just started or up for a month, at night, on the days the
clocks change, in three time zones, and as an account without rights. `python -m tests.odd_times` (`make odd-times`).
"""
