"""`python -m postcopy_lab`."""

from postcopy_lab.cli import main

main()
