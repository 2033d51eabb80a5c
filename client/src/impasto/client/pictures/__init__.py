"""Pictures: read them as the models see them, and write what comes out.

`read_picture` and `write_picture` are for one picture, `read_animation` and `write_animation` for those that move;
`named_picture` tells by a name what a file is. Everything that is left out, mended or chosen on the way is said by a
`PictureWarning`.
"""

from __future__ import annotations

from impasto.client.pictures._animation import (
    ANIMATED,
    FRAME_MILLISECONDS,
    Animation,
    check_animation_output,
    encode_animation,
    moves,
    read_animation,
    to_frame,
    write_animation,
)
from impasto.client.pictures._atomic import (
    give_rights,
    moved_into_place,
    replaceable,
    resolved,
    sync_folder,
    write_bytes,
)
from impasto.client.pictures._decode import MAX_PIXELS, check_size
from impasto.client.pictures._deflate import PngCompression
from impasto.client.pictures._encoding import flattened, format_options, in_srgb
from impasto.client.pictures._extensions import VIDEOS, NamedPicture, named_picture, readable_extensions
from impasto.client.pictures._notes import PictureWarning, warn
from impasto.client.pictures._picture import Picture, keep_colours, zoom_in
from impasto.client.pictures._reading import ImageSource, read_picture
from impasto.client.pictures._writing import (
    WRITABLE,
    WRITTEN_IN_ROWS,
    RowFile,
    RowSink,
    check_output,
    check_place,
    encode_picture,
    write_picture,
)

__all__ = [
    "ANIMATED",
    "FRAME_MILLISECONDS",
    "MAX_PIXELS",
    "VIDEOS",
    "WRITABLE",
    "WRITTEN_IN_ROWS",
    "Animation",
    "ImageSource",
    "NamedPicture",
    "Picture",
    "PictureWarning",
    "PngCompression",
    "RowFile",
    "RowSink",
    "check_animation_output",
    "check_output",
    "check_place",
    "check_size",
    "encode_animation",
    "encode_picture",
    "flattened",
    "format_options",
    "give_rights",
    "in_srgb",
    "keep_colours",
    "moved_into_place",
    "moves",
    "named_picture",
    "read_animation",
    "read_picture",
    "readable_extensions",
    "replaceable",
    "resolved",
    "sync_folder",
    "to_frame",
    "warn",
    "write_animation",
    "write_bytes",
    "write_picture",
    "zoom_in",
]
