"""The module of `python -m impasto.serving`, which is the same as `impasto-serving`."""

from impasto.serving.cli import main

main(prog_name="impasto-serving")
