"""The way back: a container's graph and weights as an ONNX model."""
