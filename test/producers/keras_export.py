# pyright: basic, reportMissingImports=false
"""Keras' exporter, NHWC inside, then onnxruntime's quantizer.

KERAS_BACKEND says what is underneath: with TensorFlow the exporter is tf2onnx, with PyTorch
PyTorch's own, and each leaves transposes of its own between NHWC and NCHW.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
from keras import layers
from quantizer import FORMATS, quantize

SIZE = 12


def small() -> keras.Model:
    """A residual block as in Keras Applications, with "same" and explicit padding."""
    x = source = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.Conv2D(16, 3, strides=2, use_bias=False)(x)
    x = shortcut = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(16, 1, use_bias=False)(x))
    x = layers.Activation("relu")(layers.Add()([shortcut, x]))
    x = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Flatten()(x)
    return keras.Model(source, layers.Dense(10, activation="softmax")(x), name="small")


def branches() -> keras.Model:
    """Inception's branches, and the end of MobileNet: a mean, Reshape, a 1x1 convolution."""
    x = source = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    left = layers.Conv2D(8, 1, activation="relu")(x)
    right = layers.Conv2D(24, (1, 3), padding="same", activation="relu")(x)
    pool = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    x = layers.Concatenate()([left, right, layers.Conv2D(8, 1, activation="relu")(pool)])
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(10, 1)(layers.Dropout(0.1)(x))
    x = layers.Activation("softmax")(layers.Reshape((10,))(x))
    return keras.Model(source, x, name="branches")


def dense() -> keras.Model:
    """DenseNet's layers, whose normalization stands before the convolution."""
    x = source = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(y)
    x = layers.Concatenate()([x, y])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(source, layers.Dense(10)(x), name="dense")


def decoder() -> keras.Model:
    """Up again: nearest neighbours, and a transposed convolution."""
    x = source = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    up = layers.UpSampling2D(2)(x)
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([up, x])
    return keras.Model(source, layers.Conv2D(8, 1)(x), name="decoder")


NETWORKS = (small, branches, dense, decoder)


def application() -> keras.Model:
    """MobileNetV2 of Keras Applications, as narrow as it gets and for small images."""
    return keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.1, weights=None, classes=10, name="mobilenetv2"
    )


def trained(build: Callable[[], keras.Model]) -> keras.Model:
    """A network with random weights, and with statistics and factors of its normalizations as
    if it had been trained."""
    keras.utils.set_random_seed(0)
    model = build()
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = (w.shape for w in layer.get_weights())
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, gamma),
                    rng.normal(0, 0.2, beta),
                    rng.normal(0, 0.2, mean),
                    rng.uniform(0.5, 1.5, variance),
                ]
            )
    return model


def export(model: keras.Model, path: Path, batch: int | None = 1) -> None:
    """The float model, for a batch of 1 or, as Keras does it unless told, an open one."""
    shape = (batch, *model.input_shape[1:])
    spec = keras.InputSpec(shape=shape, dtype="float32", name="image")
    model.export(path, format="onnx", input_signature=[spec], verbose=False)


def main(folder: Path, floats: Path) -> None:
    """Every network as QDQ with int8, the first in the other forms too; with tf2onnx also one
    with an open batch, and an application.

    The float files of NETWORKS go to `floats`, for others to quantize.
    """
    backend = keras.backend.backend()

    def convert(model: keras.Model, name: str, floats: Path, forms: Iterable[str], **options):
        path = floats / f"keras-{backend}-{name}.onnx"
        export(model, path, **options)
        for form in forms:
            quantize(path, folder / f"{path.stem}-{form}.onnx", form)

    with tempfile.TemporaryDirectory() as scratch:
        for build in NETWORKS:
            model = trained(build)
            convert(model, model.name, floats, FORMATS if build is small else ["qdq-int8"])
        if backend == "tensorflow":
            convert(trained(small), "batch", Path(scratch), ["qdq-int8"], batch=None)
            convert(trained(application), "mobilenetv2", Path(scratch), ["qdq-int8"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
