"""The notebook that runs, if one does: Jupyter and what builds on its kernel (VS Code, Colab)."""

from __future__ import annotations

import os
import sys

__all__ = ["line_name", "shown_in_notebook"]


def shown_in_notebook(value) -> bool:
    """Show a value under the running cell; False, and nothing is done, if this is no notebook. (marimo: False. There an
    error takes the place of all that its cell has shown, and what a cell gives shows itself anyway.)"""
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if hasattr(get_ipython(), "kernel"):
            display(value)
            return True
    return False


def line_name(file: str, line: int) -> str:
    """A line of the program in short: ``train.py:12``, in a notebook ``In[3]:2``."""
    if "IPython" in sys.modules:
        from IPython import get_ipython

        name_of = getattr(getattr(get_ipython(), "compile", None), "format_code_name", None)
        found = name_of(file) if name_of else None
        if found:
            return f"{found[1]}:{line}"
    return f"{os.path.basename(file)}:{line}"
