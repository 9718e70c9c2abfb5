"""torchvision, to compare with. It is usable without its compiled operators, of which two have to be known by name."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")


def _import():
    import importlib.util

    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed", allow_module_level=True)
    try:
        import torchvision
    except RuntimeError:  # its operators were built for another torch: "operator torchvision::nms does not exist"
        names = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            names.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _import.names = names  # they live as long as this
        import torchvision
    return torchvision


torchvision = _import()
