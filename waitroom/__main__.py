"""`python -m waitroom`."""

from waitroom.cli import main

main()
