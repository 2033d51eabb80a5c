"""The local server: TensorFlow Serving's gRPC API in this process."""
