"""DeepSparse 1.8 (Neural Magic, discontinued in 2025), the engine that gained from unstructured sparsity."""

from worker import serve


def load(path, threads, batch):
    import deepsparse

    engine = deepsparse.compile_model(path, batch_size=len(batch), num_cores=threads)
    return lambda x: engine.run([x])[0]


if __name__ == "__main__":
    serve(load, "deepsparse")
