"""Training and test pictures, and batches of them."""
