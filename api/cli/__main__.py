"""`python -m quarry.api.cli` is `quarry`."""

from quarry.api.cli import main

main()
