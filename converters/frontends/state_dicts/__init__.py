"""Front end for state dicts: read a checkpoint, and find the network that its keys and shapes belong to."""
