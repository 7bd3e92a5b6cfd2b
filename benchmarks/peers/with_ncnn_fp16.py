"""ncnn on the CPU with default settings: weights and activations in 16 bits, so answers differ slightly."""

from functools import partial

from with_ncnn import load, prepare
from worker import serve

if __name__ == "__main__":
    serve(partial(load, fp16=True), "ncnn", partial(prepare, fp16=True))
