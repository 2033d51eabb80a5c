"""`python -m impasto.serving`: the same as `impasto-serving`."""

from impasto.serving.cli import main

main(prog_name="impasto-serving")
