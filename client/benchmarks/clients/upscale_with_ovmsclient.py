"""The least that doubles a picture with ovmsclient. Arguments: address, version, input and output."""

import sys

import numpy as np
from ovmsclient import make_grpc_client
from PIL import Image

address, version, source, target = sys.argv[1:]
image = np.asarray(Image.open(source).convert("RGB"))[None]
# Without a version it asks for version 0, which is the newest for OpenVINO's server and unknown to TensorFlow's.
client = make_grpc_client(address)
Image.fromarray(client.predict({"image": image}, "srcnn", int(version), timeout=60)[0]).save(target)
