"""`minigrad.hub`: models from the network are not fetched. (PyTorch: torch.hub)"""

from __future__ import annotations

from minigrad.harmless import refusing

__all__: list[str] = []

__getattr__ = refusing(
    __name__,
    "download_url_to_file get_dir help list load load_state_dict_from_url set_dir tqdm",
    NotImplementedError,
    "minigrad fetches no models; download the file yourself and open it with minigrad.load(path), build the model "
    "from its source, and for progress bars import tqdm or rich",
)
