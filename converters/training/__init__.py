"""The compression pipeline: train, prune, retrain, share, fine-tune, by a recipe."""
