"""Direct convolutions over tiles of one sample's pixels."""
