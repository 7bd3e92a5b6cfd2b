"""dcz, through the same pipe as the others."""

from worker import serve


def load(path, threads, batch):
    import dcz

    return dcz.load(path, threads=threads)


def prepare(path, batch):
    load(path, 1, batch)(batch)  # compiles the kernels, if this machine has not yet


if __name__ == "__main__":
    serve(load, "dcz.runtime", prepare)
