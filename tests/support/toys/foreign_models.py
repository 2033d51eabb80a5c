"""SavedModels as strangers write them: by Keras, by tf.Module, and by TensorFlow 1 with a table in an asset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

WORDS = ("blue", "boat", "red")


def keras_scaler(directory: Path) -> Path:
    """Keras 3's export: pictures float32 [?, ?, ?, 3] -> output_0 float32 [?, 3], the means of each channel halved."""
    import keras

    pictures = keras.Input((None, None, 3), name="pictures")
    halved = keras.layers.Rescaling(0.5)(pictures)
    model = keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(halved))
    model.export(str(directory), verbose=False)
    return directory


class Pictures(tf.Module):
    """Doubles pictures by bicubic interpolation, and decodes files."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")])
    def double(self, image: Any) -> dict[str, Any]:
        """Return the pictures with twice the sides."""
        resized = tf.image.resize(image, 2 * tf.shape(image)[1:3], "bicubic")
        return {"image": tf.cast(tf.clip_by_value(resized, 0, 255), tf.uint8)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "file")])
    def decode(self, file: Any) -> dict[str, Any]:
        """Return a PNG's pixels, and a JPEG of them."""
        pixels = tf.io.decode_png(file, 3)
        return {"pixels": pixels, "jpeg": tf.io.encode_jpeg(pixels)}


def module(directory: Path) -> Path:
    """`Pictures`, saved by tf.saved_model.save: signatures serving_default and decode."""
    pictures = Pictures()
    tf.saved_model.save(
        pictures, str(directory), signatures={"serving_default": pictures.double, "decode": pictures.decode}
    )
    return directory


def table_of_words(directory: Path, vocabulary: Path) -> Path:
    """TensorFlow 1: text string [?] -> number int64 [?], the words' places in an asset, -1 for others, and a vector."""
    vocabulary.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        text = tf.compat.v1.placeholder(tf.string, [None], "text")
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(vocabulary),
                *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
                *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
            ),
            -1,
        )
        tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS, tf.constant(str(vocabulary)))
        weights = tf.compat.v1.Variable(np.arange(4, dtype=np.float32), use_resource=False)
        number = table.lookup(text)
        vector = tf.gather(weights, number + 1)
        session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
        tf.compat.v1.saved_model.simple_save(
            session,
            str(directory),
            inputs={"text": text},
            outputs={"number": number, "weight": vector},
            legacy_init_op=tf.compat.v1.tables_initializer(),
        )
    return directory


class Counting(tf.Module):
    """Counts its calls, so that a request changes what the next one sees; and throws dice."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "x")])
    def call(self, x: Any) -> dict[str, Any]:
        """Return x, the number of the call, and a random number."""
        return {"x": x, "calls": self.calls.assign_add(1), "dice": tf.random.uniform([])}


def counting(directory: Path) -> Path:
    """`Counting`, saved."""
    counter = Counting()
    tf.saved_model.save(counter, str(directory), signatures={"serving_default": counter.call})
    return directory
