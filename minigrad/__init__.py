"""minigrad: the PyTorch that you can read in a weekend, see while it runs, and carry to real work."""
from minigrad import ops
from minigrad import creation, conversion, sampling
from minigrad.autograd.link import link, FUNCTIONS
from minigrad.autograd.modes import *
link()
globals().update(FUNCTIONS)
from minigrad.creation import *
from minigrad.sampling import *
from minigrad.tensor import Tensor
from minigrad.random import manual_seed, Generator
