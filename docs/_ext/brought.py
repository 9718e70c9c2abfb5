"""Sphinx: pages whose sources stand elsewhere in the repository are brought here before each build.

The notebooks become docs/course, CONTRIBUTING.md and CHANGELOG.md pages of their own; git keeps none of the copies.
Links are turned so that they lead to the same places from here. What a link can only reach in a checkout (a file of the
sources) becomes its bare text.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from sphinx import addnodes

PAPERS = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
COURSE, INDEX = "course", "00_index"
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)")
NOT_YET = """# The course

The notebooks are not in this checkout yet.
"""


def setup(app):
    app.connect("builder-inited", bring)
    app.connect("doctree-read", open_in_place)
    app.connect("build-finished", copy_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def bring(app):
    """Write the copies; those that are as before keep their time."""
    docs = Path(app.srcdir)
    root, made = docs.parent, {}
    for name, target in PAPERS.items():
        made[docs / target] = turned((root / name).read_text(encoding="utf-8"), root, docs, docs)
    course = docs / COURSE
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        chapters = [other.stem for other in notebooks if other is not path] if path.stem == INDEX else []
        made[course / path.name] = notebook(path, docs, chapters)
    if not notebooks:
        made[course / f"{INDEX}.md"] = NOT_YET
    for target, text in made.items():
        target.parent.mkdir(exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
    for path in course.iterdir():
        if path not in made and path.is_file():
            path.unlink()


def notebook(path, docs, chapters):
    """A notebook, its links turned; the first one leads to the chapters."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            text = turned("".join(cell["source"]), path.parent, docs / COURSE, docs)
            cell["source"] = text.splitlines(keepends=True)
    if chapters:
        toctree = "\n".join(["```{toctree}", ":hidden:", ":maxdepth: 1", "", *chapters, "```"])
        content["cells"].append({"cell_type": "markdown", "id": "chapters", "metadata": {}, "source": [toctree]})
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def turned(text, origin, target, docs):
    """Text whose relative links, written for the folder `origin`, lead to the same places from `target`."""

    def link(match):
        words, address = match[1], match[2]
        if re.match(r"[a-z]+:|#", address):
            return match[0]
        path, _, anchor = address.partition("#")
        place = (origin / path).resolve()
        for name, page in PAPERS.items():
            if place == docs.parent / name:
                place = docs / page
        if place.suffix == ".ipynb" and place.parent == docs.parent / "notebooks" and place.exists():
            place = docs / COURSE / place.name
        elif not place.exists() or docs not in place.parents:
            return words
        relative = Path(*[".."] * len(target.relative_to(docs).parts), place.relative_to(docs)).as_posix()
        if place.parent == target:
            relative = place.name
        return f"[{words}]({relative}{'#' + anchor if anchor else ''})"

    return LINK.sub(link, text)


def open_in_place(app, doctree):
    """Links to pages that minigrad.viz wrote open them, and do not save them."""
    for node in list(doctree.findall(addnodes.download_reference)):
        if node["reftarget"].endswith(".html"):
            node["filename"] = node["reftarget"]


def copy_pages(app, failure):
    if failure is None and app.builder.format == "html":
        for path in Path(app.srcdir).glob("gallery/*.html"):
            target = Path(app.outdir) / "gallery" / path.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
