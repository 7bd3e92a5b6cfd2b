"""OpenVINO on the CPU, quantised to 8 bits by NNCF: smaller and faster, but not the same answers.

It is calibrated on noise: times do not depend on it, and the error of the answers is reported only.
"""

from with_openvino import load as load_any
from worker import serve


def prepare(path, batch):
    import nncf
    import openvino

    model = openvino.Core().read_model(path)
    openvino.save_model(nncf.quantize(model, nncf.Dataset([batch]), subset_size=1), path + ".int8.xml")


def load(path, threads, batch):
    return load_any(path + ".int8.xml", threads, batch)


if __name__ == "__main__":
    serve(load, "openvino", prepare)
