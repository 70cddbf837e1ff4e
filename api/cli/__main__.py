"""`python -m api.cli` is `quarry`."""

from api.cli import main

main()
