"""A function in the cloud, as AWS Lambda calls it: small to deploy, quick to start.

The environment variable MODEL names the container. Code outside of the function runs once an instance, before its first
request. Compile the kernels when the image is built, so that no instance does:

    ENV NUMBA_CACHE_DIR=/opt/kernels MODEL=/opt/model.dcz
    RUN pip install dcz && dcz warm $MODEL

Build the image on a processor of the same level of x86-64 as those that run it, or name their levels:
``dcz warm $MODEL --target x86-64-v3,x86-64-v4``.
"""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any

from PIL import Image

import dcz

MODEL = dcz.load(os.environ["MODEL"], threads=1)


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """Name the picture in the request's body."""
    picture = Image.open(io.BytesIO(base64.b64decode(event["body"])))
    ((best, *_),) = MODEL.predict(picture, top=1)
    return {"statusCode": 200, "body": json.dumps({"label": best.label, "score": round(best.score, 4)})}
