"""Sphinx: pages whose sources stand elsewhere in the repository are brought here before each build.

The notebooks become docs/course, CONTRIBUTING.md and the like pages of their own; git keeps none of the copies.
Links are turned so that they lead to the same places from here, those of docs/*.md, too. A link to what is not on the
site becomes its bare text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

PAPERS = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.ko.md": "ko/readme.md"}
COURSE, INDEX = "course", "00_index"
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[((?:!\[[^\]]*\]\([^)]*\)|[^\[\]])+)\]\(([^)\s]+)\)")
NOT_YET = """# The course

The notebooks are not in this checkout yet.
"""


def setup(app):
    app.connect("builder-inited", bring)
    app.connect("source-read", turn)
    app.connect("doctree-read", open_in_place, priority=100)  # before Sphinx collects what is to be saved
    app.connect("doctree-resolved", describe)
    app.connect("html-page-context", say_language)
    app.connect("build-finished", copy_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def bring(app):
    """Write the copies; those that are as before keep their time."""
    docs = Path(app.srcdir)
    root, made = docs.parent, {}
    for name, target in PAPERS.items():
        made[docs / target] = turned((root / name).read_text(encoding="utf-8"), root, (docs / target).parent, docs)
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


def turn(app, docname, source):
    """Links of docs/*.md, which lead to the right places in a checkout, lead to pages of the site."""
    docs = Path(app.srcdir)
    path = docs / f"{docname}.md"
    if path.is_file() and path.parent.name != COURSE:
        source[0] = turned(source[0], path.parent, path.parent, docs)


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
    """Text whose relative links, written for the folder `origin`, lead to the same places from `target`. A block that
    names no language is a text, not Python with mistakes."""

    def image(match):
        place = None if ":" in match[2] else found(origin, match[2], docs)
        return f"![{match[1]}]({path_from(target, place)})" if place else match[0]

    def link(match):
        words, (path, _, anchor) = match[1], match[2].partition("#")
        if ":" in path or not path:
            return match[0]
        place = found(origin, path, docs)
        if place == docs.parent / "README.md" and not anchor:
            place = docs / "index.md"
        if place is None or docs not in place.parents:
            return words
        return f"[{words}]({path_from(target, place)}{'#' + anchor if anchor else ''})"

    text = FENCED.sub(lambda match: f"```{match[1] or 'text'}\n{match[2]}```", text)
    return LINK.sub(link, IMAGE.sub(image, text))


def found(origin, path, docs):
    """What a relative link leads to, where it stands on the site; None if there is no such thing."""
    place = (origin / path).resolve()
    if place == docs / "_ext" / "reference.py":  # what makes the reference stands for it
        return docs / "reference" / "index.rst"
    for name, page in PAPERS.items():
        if place == docs.parent / name:
            return docs / page
    if not place.exists():
        return None
    if place.suffix == ".ipynb" and place.parent == docs.parent / "notebooks":
        return docs / COURSE / place.name
    return place


def path_from(target, place):
    """The path of a place of the site, seen from the folder `target`."""
    return os.path.relpath(place, target).replace(os.sep, "/")


def open_in_place(app, doctree):
    """Links to pages that minigrad.viz wrote open them, rather than save them."""
    for node in list(doctree.findall(addnodes.download_reference)):
        path, _ = app.env.relfn2path(node["reftarget"])
        if path.endswith(".html"):
            here = os.path.dirname(app.env.docname)
            node.replace_self(nodes.reference("", "", *node.children, refuri=os.path.relpath(path, here or ".")))


def describe(app, doctree, docname):
    """The pictures that cells of notebooks made: a reader of screens would read out the name of a file."""
    for node in doctree.findall(nodes.image):
        node.setdefault("alt", "what the cell above draws · 위 셀의 그림")


def say_language(app, pagename, templatename, context, doctree):
    """Pages in Korean say so, to browsers and readers of screens."""
    if pagename.startswith("ko/"):
        context["language"] = "ko"


def copy_pages(app, failure):
    if failure is None and app.builder.format == "html":
        for path in Path(app.srcdir).glob("gallery/*.html"):
            target = Path(app.outdir) / "gallery" / path.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
