"""A model as an HTTP service: images and arrays in, JSON out."""
