"""`load_topics`: a real English text that every Python carries."""

from __future__ import annotations

import re

__all__ = ["load_topics"]


def load_topics(unique=True):
    """The help texts on Python's language, which ``help("assert")`` shows, as a dict of name to text.

    About 80 texts in alphabetical order of their names, English with examples of code, in lines of some 70 characters.
    They come with Python (`pydoc_data.topics`) and grow with it: 459,000 characters in Python 3.10, 511,000 in 3.13.
    So what is learned from them differs a little between versions of Python, and not between machines.

    Args:
        unique (bool): leave out paragraphs that an earlier text has, too. Many texts repeat parts of others ("compound"
            has all of "for", "if", "try", ...), a fifth of all: without this, a network is tested on what it has
            learned by heart. Texts of which nothing is left are left out. Default: True

    Source  The Python Language Reference, https://docs.python.org/3/reference/
    Licence PSF License Version 2, https://docs.python.org/3/license.html

    Raises:
        ModuleNotFoundError: this Python comes without its help texts.
    """
    try:
        from pydoc_data.topics import topics
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "load_topics(): this Python comes without its help texts (pydoc_data); install the full one, e.g. the "
            "package libpython3-stdlib, or Python from python.org",
            name="pydoc_data",
        ) from None
    if not unique:
        return {name: topics[name] for name in sorted(topics)}
    seen, kept = set(), {}
    for name in sorted(topics):
        paragraphs = []
        for paragraph in re.split(r"\n\s*\n", topics[name].strip("\n")):
            words = " ".join(paragraph.split())
            if words not in seen:
                seen.add(words)
                paragraphs.append(paragraph.rstrip())
        if paragraphs:
            kept[name] = "\n\n".join(paragraphs) + "\n"
    return kept
