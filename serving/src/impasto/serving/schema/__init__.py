"""Messages of TensorFlow Serving's configuration files that the tensorflow-serving-api package lacks."""
