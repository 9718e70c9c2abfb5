"""A race of optimizers as a moving picture: an HTML page with a player, or a GIF.

The landscape is painted once. In the page it is one image, and the paths are drawn over it as lines, so a page is as
small as a picture; in a GIF each frame holds only what changed.
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
from pathlib import Path

import numpy as np

from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.plots.common import INK, SOFT, mixed, settings, start
from minigrad.viz.plots.contest import figure_of_race
from minigrad.viz.plots.landscape import LOW, STAR, check_kind, in_space

__all__ = ["Movie", "descent_movie"]

ENDINGS = ("html", "gif", "mp4")
DOTS, DOTS_OF_PAGE = 84, 144  # per inch
MOST_FRAMES = 80  # of a GIF
SECONDS = 7.0
COLOURS = 160  # of a GIF, and of the page's image
SHADES = (("white", 0.0), ("white", 0.35), ("white", 0.7), (LOW, 0.5))  # where a line is smoothed
WORDS = {
    "en": {
        "play": "Play", "pause": "Pause", "back": "One step back", "forward": "One step forward",
        "again": "To the start", "step": "step {n} of {all}", "speed": "speed", "where": "Step", "value": "value",
        "picture": "{name}: the ways of {runs} after {n} steps",
    },
    "ko": {
        "play": "재생", "pause": "멈춤", "back": "한 단계 뒤로", "forward": "한 단계 앞으로", "again": "처음으로",
        "step": "{all}단계 중 {n}단계", "speed": "속도", "where": "단계", "value": "값",
        "picture": "{name}: {n}단계 뒤 {runs}의 경로",
    },
}  # fmt: skip


def descent_movie(
    fn, optimizers=None, loss=None, path=None, *, start_at=None, steps=None, kind="both", bounds=None, resolution=None,
    log=None, title=None,
):  # fmt: skip
    """descent_movie(fn, optimizers=None, path=None) or descent_movie(model, optimizers, loss) -> Movie.  A moving
    `descent`.

    All arguments are those of `descent`; but `path` ends in .html (a page with a player: play, pause, step by step; it
    works offline), .gif, or, where the program ffmpeg is installed, .mp4. In a notebook the movie shows its player.
    """
    who = "descent_movie()"
    target = start(path, who, ENDINGS)
    check_kind(kind, who)
    with settings():
        made = figure_of_race(
            fn, optimizers, loss, start_at, steps, kind, bounds, resolution, log, title, who, moving=True
        )
        movie = Movie(*made)
    if target is not None:
        movie.save(target)
    return movie


class Movie:
    """A race of optimizers, step by step.

    race    what it shows, as numbers
    steps   how many steps there are
    """

    def __init__(self, figure, lines, race, title):
        self.race, self.title = race, title
        self.steps = max(len(losses) for losses in race.losses.values()) - 1
        self._figure, self._lines = figure, lines
        self._page = None

    def __repr__(self):
        return f"<Movie: {self.title}, {self.steps} steps>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.page._repr_mimebundle_(include, exclude)

    def show(self) -> None:
        """Show the player: in the notebook if this is one, else in the web browser."""
        self.page.show()

    @property
    def page(self):
        """The player as a `Page`."""
        from minigrad.viz.pages.shell import Page, page

        if self._page is None:
            self._page = Page(
                page(
                    self.title, body='<main id="movie"></main>', scripts=("movie.js",), styles=("movie.css",),
                    data=self._data(), words=WORDS,
                ),
                self.title,
                height=620,
            )  # fmt: skip
        return self._page

    @property
    def html(self) -> str:
        """The player as one HTML file."""
        return self.page.html

    def save(self, path) -> Path:
        """Write the movie to a file, .html, .gif or .mp4, and return its path; the file appears whole or not at all.

        Raises ValueError for another ending, FileNotFoundError if .mp4 is asked for and there is no ffmpeg, OSError
        where the file can't be written.
        """
        path = checked_path(path, ENDINGS, "Movie.save()")
        form = path.suffix.lower().lstrip(".")
        data = self.html.encode() if form == "html" else self._gif() if form == "gif" else self._mp4()
        write_whole(path, data, "Movie.save()")
        return path

    # ---- frames

    def frames(self, count=MOST_FRAMES):
        """The picture at `count` moments from the first step to the last, uint8 arrays (height, width, 3)."""
        moments = np.unique(np.linspace(0, self.steps, min(count, self.steps + 1)).round().astype(int))
        with settings():
            canvas = self._painted(DOTS)
            ground = canvas.copy_from_bbox(self._figure.bbox)
            for moment in moments:
                canvas.restore_region(ground)
                self._draw(moment)
                yield np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _painted(self, dots, title=True):
        """The canvas with all but the ways."""
        figure = self._figure
        figure.set_dpi(dots)
        figure._suptitle.set_visible(title)
        for lines in self._lines.values():
            for line, _ in lines:
                line.set_visible(False)
        figure.canvas.draw()
        return figure.canvas

    def _draw(self, moment):
        """The ways up to a moment, their heads, and the number of the step."""
        head = {"marker": "o", "markersize": 7.5, "markeredgecolor": "white"}
        for axes, lines in self._lines.items():
            for points_of, look in ((lambda points: points[: moment + 1], {}), (_last_seen(moment), head)):
                for line, points in lines:
                    before = {name: line.properties()[name] for name in look}
                    line.set(visible=True, **look)
                    _place(line, points_of(points))
                    axes.draw_artist(line)
                    line.set(visible=False, **before)
        renderer = self._figure.canvas.get_renderer()
        text = self._figure.text(0.99, 0.985, f"step {moment}", ha="right", va="top", color=SOFT, fontsize=11)
        text.draw(renderer)
        text.remove()

    def _gif(self):
        frames = list(self.frames())
        images = self._few_colours(frames)
        time = round(1000 * SECONDS / len(images) / 10) * 10
        times = [time] * (len(images) - 1) + [2000]
        out = io.BytesIO()
        images[0].save(out, "gif", save_all=True, append_images=images[1:], duration=times, loop=0, disposal=1)
        return out.getvalue()

    def _few_colours(self, frames):
        """Pictures of at most 256 colours, the same for all: those of the ground, and those of the ways as they are."""
        from PIL import Image

        images = [Image.fromarray(frame) for frame in frames]
        lines = next(iter(self._lines.values()))
        pure = [mixed(line.get_color(), other, share) for line, _ in lines for other, share in SHADES]
        pure = [*pure, *[mixed(colour, colour, 0.0) for colour in (INK, STAR, "white", "black")]][: COLOURS // 2]
        ground = images[0].quantize(COLOURS - len(pure), dither=Image.Dither.NONE).getpalette()
        known = ground[: 3 * (COLOURS - len(pure))] + np.rint(255 * np.ravel(pure)).astype(int).tolist()
        palette = Image.new("P", (1, 1))
        palette.putpalette(known)
        return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]

    def _mp4(self):
        program = shutil.which("ffmpeg")
        if program is None:
            raise FileNotFoundError(
                "Movie.save(): .mp4 needs the program ffmpeg, which is not installed: install it, or save as .gif or "
                ".html"
            )
        frames = list(self.frames())
        high, wide = (side // 2 * 2 for side in frames[0].shape[:2])  # the format wants even sides
        rate = f"{len(frames) / SECONDS:.3f}"
        command = [program, "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{wide}x{high}", "-r", rate]
        command += ["-i", "-", "-f", "mp4", "-pix_fmt", "yuv420p", "-movflags", "frag_keyframe+empty_moov", "-"]
        raw = b"".join(frame[:high, :wide].tobytes() for frame in frames)
        done = subprocess.run(command, input=raw, capture_output=True, check=False)
        if done.returncode:
            raise OSError(f"Movie.save(): ffmpeg failed: {done.stderr.decode(errors='replace').strip()[-400:]}")
        return done.stdout

    # ---- the page

    def _data(self):
        with settings():
            canvas = self._painted(DOTS_OF_PAGE, title=False)
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        out = io.BytesIO()
        self._few_colours([pixels])[0].save(out, "png", optimize=True)
        high, wide = pixels.shape[:2]
        clips, tracks = [], {name: [] for name in self.race.losses}
        for axes, lines in self._lines.items():
            box = axes.bbox
            clips.append([round(v, 1) for v in (box.x0, high - box.y1, box.width, box.height)])
            for (_, points), track in zip(lines, tracks.values(), strict=True):
                at = axes.transData.transform(_on_paper(axes, points))
                track.append([[round(x, 1), round(high - y, 1)] if np.isfinite(x + y) else None for x, y in at])
        looks = [line for line, _ in next(iter(self._lines.values()))]
        runs = [
            {"name": name, "colour": line.get_color(), "values": [_number(v) for v in self.race.losses[name]],
             "tracks": tracks[name]}
            for name, line in zip(tracks, looks, strict=True)
        ]  # fmt: skip
        image = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
        size = {"width": wide, "height": high, "unit": DOTS_OF_PAGE / 72}
        return {"title": self.title, "image": image, "clips": clips, "runs": runs, "seconds": SECONDS, **size}


def _number(value):
    return value if np.isfinite(value) else str(value)


def _last_seen(moment):
    """From a way, its last point up to a moment, or nothing where that is out of sight."""

    def last(points):
        end = points[: moment + 1][-1:]
        return end[np.isfinite(end).all(axis=1)]

    return last


def _place(line, points):
    if points.shape[1] == 3:
        line.set_data_3d(*points.T)
    else:
        line.set_data(*points.T)


def _on_paper(axes, points):
    """Points of a map as they are; of space as the eye sees them."""
    if not in_space(axes):
        return points
    seen = np.column_stack([points, np.ones(len(points))]) @ axes.get_proj().T
    return seen[:, :2] / seen[:, 3:]
