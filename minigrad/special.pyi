"""Derived from the op blocks by `python -m minigrad.stubs`; do not edit."""

import builtins
from typing import Any

from minigrad.tensor import Tensor

