"""What a loader is made of, at PyTorch's places: `collate` (a batch of examples), `fetch` (the examples of indices),
`worker` (what a worker process does). (PyTorch: torch.utils.data._utils)"""

from minigrad.utils.data._utils import collate, fetch, worker

__all__ = ["collate", "fetch", "worker"]
