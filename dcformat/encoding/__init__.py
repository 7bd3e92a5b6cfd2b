"""From a tensor to a payload and back: a closed set of encodings."""
