"""The network of a container in torch: to verify the container, and as a baseline of measurements."""
