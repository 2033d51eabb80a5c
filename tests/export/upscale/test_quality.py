"""The measures of a picture's quality, against scikit-image's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from skimage import metrics

from impasto.export.upscale.evaluate import luma, psnr, quality, ssim
from impasto.export.upscale.photos import held_out_photos

PHOTO = held_out_photos()[0].pixels[100:221, 50:250]
WORN = np.asarray(Image.fromarray(PHOTO).resize((50, 30)).resize((200, 121)))


def test_ssim_and_psnr_are_those_of_scikit_image() -> None:
    one, other = luma(PHOTO), luma(WORN)
    expected = metrics.structural_similarity(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert 0.2 < expected < 0.9
    assert ssim(one, other) == pytest.approx(expected, abs=1e-9)
    assert psnr(PHOTO, WORN) == pytest.approx(metrics.peak_signal_noise_ratio(PHOTO, WORN))
    found = quality(PHOTO, WORN, with_ssim=True)
    assert (found.psnr_rgb, found.psnr_y, found.ssim) == (
        psnr(PHOTO, WORN),
        psnr(one, other),
        ssim(one, other),
    )


def test_equal_pictures_are_alike_without_end_and_small_ones_have_no_ssim() -> None:
    assert psnr(PHOTO, PHOTO) == math.inf
    assert ssim(luma(PHOTO), luma(PHOTO)) == pytest.approx(1)
    found = quality(PHOTO[:10], WORN[:10], with_ssim=True)
    assert not found.is_finite
    assert found.as_dict(digits=2) == {
        "psnr_rgb": round(found.psnr_rgb, 2),
        "psnr_y": round(found.psnr_y, 2),
        "ssim": None,
    }
