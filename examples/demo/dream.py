"""DeepDream: a cat dreams of dogs, by the command line, with the octaves in between."""

from __future__ import annotations

from pathlib import Path

from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet

STEPS = 20
# A middle layer for fur and eyes, and a deep one for faces; three sizes, the picture's own last. The rest is the
# default recipe's, `fine`.
OPTIONS = {
    "--layers": "block4_conv3,block5_conv2=8",
    "--octaves": "-2,-1,0",
    "--steps": str(STEPS),
}


def show(server: str, examples: Path, out: Path) -> list[Path]:
    """Let the cat dream, keeping the picture after each octave; returns the contact sheet."""
    photo, folder = examples / "photos" / "chelsea.png", out / "dream"
    folder.mkdir(exist_ok=True)
    result = folder / "chelsea.png"
    options = [word for pair in OPTIONS.items() for word in pair]
    arguments = [str(photo), "-o", str(result), *options, "--every", str(STEPS), "--overwrite"]
    impasto("dream", *arguments, server=server)
    panels = [
        Panel("photo", Image.open(photo)),
        *(
            Panel(f"after octave {octave}", Image.open(folder / f"chelsea-{octave * STEPS:05}.png"))
            for octave in (1, 2)
        ),
        Panel("dream", Image.open(result)),
    ]
    sheet = out / "dream-chelsea.png"
    contact_sheet([panels[:2], panels[2:]], width=450).save(sheet)
    return [sheet]
