"""The notebook that runs, if one does: Jupyter and what builds on its kernel (VS Code, Colab)."""

from __future__ import annotations

import os
import sys

__all__ = ["in_notebook", "line_name", "shown_in_notebook"]


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this program."""
    return hasattr(_shell(), "kernel")


def shown_in_notebook(value) -> bool:
    """Show a value under the running cell; False, and nothing is done, if this is no notebook. (marimo: False. There an
    error takes the place of all that its cell has shown, and what a cell gives shows itself anyway.)"""
    if not in_notebook():
        return False
    from IPython.display import display

    display(value)
    return True


def line_name(file: str, line: int) -> str:
    """A line of the program in short: ``train.py:12``, in a notebook ``In[3]:2``."""
    name_of = getattr(getattr(_shell(), "compile", None), "format_code_name", None)
    found = name_of(file) if name_of else None
    return f"{found[1] if found else os.path.basename(file)}:{line}"


def _shell():
    """IPython's shell, or None. A program that runs in one has IPython loaded: it is not imported to find out."""
    if sys.modules.get("IPython") is None:
        return None
    from IPython import get_ipython

    return get_ipython()
