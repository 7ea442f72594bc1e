"""`python -m adapters.cli`, for where the console script is not installed."""

from adapters.cli import main

main()
