"""TensorFlow Serving's messages as bytes: read and written here, without protobuf."""
