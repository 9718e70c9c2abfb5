"""How gradients may be brought together. (PyTorch: torch.distributed.algorithms.ddp_comm_hooks)

`bucket.py` is what a hook is given; `default_hooks.py` has the average, and the average of numbers sent as float16.
"""
