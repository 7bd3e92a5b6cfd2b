"""OpenVINO on the CPU, quantised to 8 bits by NNCF: smaller and faster, but not the same answers.

Calibrated on noise: the times do not depend on it, and the answers' error is told, not judged.
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
