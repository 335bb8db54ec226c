"""The tests by several processes at once (`pytest -n 2`): who runs what, and what is looked at when all are done."""
