"""The base layer: errors, compilation, memory, files, text and timing. It imports no other folder of dcz."""
