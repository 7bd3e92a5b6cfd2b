"""ncnn on the CPU as it comes: weights and activations stored in 16 bits, so not quite the same answers."""

from functools import partial

from with_ncnn import load, prepare
from worker import serve

if __name__ == "__main__":
    serve(partial(load, fp16=True), "ncnn", partial(prepare, fp16=True))
