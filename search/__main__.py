"""``python -m search``."""

from search.cli.app import main

main()
