"""How training does: activations, gradients and updates of each layer, with a verdict in plain words."""
