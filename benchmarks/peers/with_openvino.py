"""OpenVINO on the CPU in float32."""

from worker import serve


def load(path, threads, batch):
    import openvino

    hints = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    request = compiled.create_infer_request()
    return lambda x: request.infer({0: x}, share_inputs=True)[0]


if __name__ == "__main__":
    serve(load, "openvino")
