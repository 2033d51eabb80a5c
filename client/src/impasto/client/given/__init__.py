"""The values that people give to a signature's inputs, as text, JSON or files, made into the arrays that are sent.

Shared by `impasto predict` and by the requests that `impasto-export repository publish` reads.
"""
