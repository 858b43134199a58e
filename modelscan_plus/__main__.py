"""`python -m modelscan_plus`."""

from modelscan_plus.cli import main

main()
