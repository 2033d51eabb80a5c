"""The least that doubles a picture with tensorflow-serving-api. Arguments: address, version, input and output."""

import sys

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

address, version, source, target = sys.argv[1:]
request = predict_pb2.PredictRequest()
request.model_spec.name = "srcnn"
request.model_spec.version.value = int(version)
image = np.asarray(Image.open(source).convert("RGB"))[None]
request.inputs["image"].CopyFrom(tf.make_tensor_proto(image))
with grpc.insecure_channel(address) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=60)
Image.fromarray(tf.make_ndarray(response.outputs["image"])[0]).save(target)
