"""The parts of a video that is being made: a hidden folder beside it, from which a later run goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from PIL import Image

from impasto.client._video.kinds import Form
from impasto.client._video.writing import Film, join_parts
from impasto.client.errors import UnwritableOutput
from impasto.client.json_text import json_text
from impasto.client.pictures import resolved, write_bytes

FRAMES_OF_A_PART: Final = 24
"""A part begins with a picture that refers to none before it, which players jump to: about one a second."""

_RECIPE: Final = "made-of.json"


class Parts:
    """The finished parts of a video, and the one that is being written.

    Args:
        target: the video.
        made_of: JSON values that tell what the frames depend on.
    """

    def __init__(self, target: Path, made_of: dict[str, Any]) -> None:
        self.target = target
        # Behind links, so that what is put together can be renamed to the file.
        place = resolved(target)
        self.folder = place.with_name(f".{place.name}.impasto")
        self._made_of = made_of
        self._film: Film | None = None
        self._in_part = 0

    @property
    def frames(self) -> int:
        """The number of frames in finished parts."""
        return len(self._finished()) * FRAMES_OF_A_PART

    def difference(self) -> str | None:
        """Return the name of the first thing of which the parts are made otherwise; None if there is none."""
        try:
            known = json.loads((self.folder / _RECIPE).read_text("utf-8"))
        except (OSError, ValueError):
            return "all"
        names = [name for name in self._made_of if known.get(name) != self._made_of[name]]
        return names[0] if names else None

    def begin(self) -> None:
        """Begin with no part. Raises UnwritableOutput."""
        self.clear()
        try:
            self.folder.mkdir(mode=0o700)  # the video may be nobody else's to see
        except OSError as error:
            raise UnwritableOutput(f"cannot make the folder {self.folder}: {error.strerror}") from error
        write_bytes(self.folder / _RECIPE, json_text(self._made_of).encode())

    def add(self, made: Image.Image, at: int, form: Form) -> None:
        """Write a frame, which is shown `at` so many of the form's ticks. Raises UnwritableOutput."""
        if self._film is None:
            self._film = Film(self._unfinished, self.target, made.size, form)
        self._film.add(made, at)
        self._in_part += 1
        if self._in_part == FRAMES_OF_A_PART:
            self._finish()

    def join(self, *, overwrite: bool, sound: Path | None = None, metadata: bool = True) -> None:
        """Put all together as the video, with the sound of another one, and delete the parts. Raises OutputError."""
        if self._film is not None:
            self._finish()
        aside = self.folder / f"whole{resolved(self.target).suffix}"
        join_parts(self._finished(), aside, self.target, sound=sound, metadata=metadata, overwrite=overwrite)
        self.clear()

    def leave(self) -> None:
        """End without the part that is being written; those that are finished stay."""
        if self._film is not None:
            self._film.abandon()
            self._film = None
            self._unfinished.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all parts, as far as the system lets."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _unfinished(self) -> Path:
        return self.folder / "part"

    def _finished(self) -> list[Path]:
        found = sorted(self.folder.glob("*.nut"))
        return [path for number, path in enumerate(found, 1) if path.name == _name(number)]

    def _finish(self) -> None:
        assert self._film is not None
        self._film.close()
        self._unfinished.replace(self.folder / _name(len(self._finished()) + 1))
        self._film, self._in_part = None, 0


def _name(number: int) -> str:
    return f"{number:06}.nut"
