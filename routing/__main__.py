"""`python -m routing` is `ringback`."""

from routing.cli import main

main()
