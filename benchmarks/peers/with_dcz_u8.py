"""dcz with 8-bit integers, through the same pipe as the others."""

from worker import serve


def load(path, threads, batch):
    import dcz

    return dcz.load(path, threads=threads, precision="u8")


if __name__ == "__main__":
    serve(load, "dcz.runtime")
