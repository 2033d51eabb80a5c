"""Videos: their frames as pictures, and pictures as a video again, with its sound.

Everything here needs PyAV, which is FFmpeg for Python and of the extra `[video]`.
"""

from __future__ import annotations

from impasto.client._video.reading import (
    WRITABLE_VIDEOS,
    Form,
    Video,
    VideoFrame,
    check_video_output,
    is_video,
    video_suffix,
    without_package,
)
from impasto.client._video.writing import Parts

__all__ = [
    "WRITABLE_VIDEOS",
    "Form",
    "Parts",
    "Video",
    "VideoFrame",
    "check_video_output",
    "is_video",
    "video_suffix",
    "without_package",
]
