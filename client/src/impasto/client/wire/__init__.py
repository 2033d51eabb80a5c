"""TensorFlow Serving's messages on the wire, generated from `serving.proto` (its header says how)."""
