"""The tables of the documents, as the code has them."""
