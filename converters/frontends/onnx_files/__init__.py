"""Front end for ONNX files: their tensors, and their graph as a program of torch's, which `exported` lowers."""
