"""The chain rule of a recorded graph: formulas of operations, the backward pass step by step, and `explain`."""
