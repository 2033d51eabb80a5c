"""Cases for the local server and a TensorFlow Serving, and the table of where they differ."""
