"""`python -m saga.cli`: the same command without a console script on the PATH."""

from saga.cli import main

main()
