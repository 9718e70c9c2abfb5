"""Batches that can be compared across libraries: what the tests of utils.data share."""


def plain(batch):
    """A batch as nested lists, with dtypes: comparable across libraries."""
    if hasattr(batch, "tolist"):
        return str(batch.dtype), tuple(batch.shape), batch.tolist()
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch).__name__, [plain(part) for part in batch]
    return batch
