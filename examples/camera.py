"""A camera loop: the name of what the camera sees, whenever it changes.

    python examples/camera.py MODEL.dcz

`watch` takes frames from anywhere: arrays of uint8, ``(H, W, 3)``, red first. Here they come from OpenCV.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

import dcz

Frame = NDArray[np.uint8]


def camera(number: int = 0) -> Iterator[Frame]:
    """Frames of a camera until it ends."""
    import cv2  # pip install opencv-python-headless

    device = cv2.VideoCapture(number)
    while (read := device.read())[0]:
        yield np.ascontiguousarray(read[1][:, :, ::-1])  # OpenCV has blue first
    device.release()


def watch(model: dcz.Model, frames: Iterable[Frame], over: int = 5) -> Iterator[tuple[int, str, float]]:
    """Number of a frame, class and its score, each time that the class changes.

    The score is the mean over the last `over` frames, so that one blurred frame changes nothing.
    """
    recent: deque[NDArray[np.float32]] = deque(maxlen=over)
    shown = None
    for number, frame in enumerate(frames):
        recent.append(model(model.preprocess(frame)))
        ((best, *_),) = model.rank(np.mean(recent, axis=0))
        if best.label != shown:
            shown = best.label
            yield number, best.label, best.score


if __name__ == "__main__":
    for number, label, score in watch(dcz.load(sys.argv[1]), camera()):
        print(f"frame {number}: {label} ({score:.0%})", flush=True)
