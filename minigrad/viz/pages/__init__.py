"""Pages: self-contained HTML files that work offline (`shell.py`), and what stands on them."""
