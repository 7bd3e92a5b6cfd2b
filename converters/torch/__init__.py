"""The network in torch again: to verify a container against, and to measure it beside."""
