"""Small real data sets that come with minigrad: no network, no download.

    x, y = load_digits()                        # x: float32 (1797, 8, 8), y: int64 (1797,)
    TensorDataset(*load_iris())                 # for a DataLoader

Sources, authors and licences (CC BY 4.0) stand in ``data/README.md`` and in each one's ``DESCR``.
"""

from minigrad.datasets.bundled import Bundle, load_digits, load_iris

__all__ = ["Bundle", "load_digits", "load_iris"]
