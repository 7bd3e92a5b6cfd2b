"""dcz serve: answer requests over HTTP."""

from __future__ import annotations

import argparse
import logging
import socket
from contextlib import closing, suppress
from pathlib import Path

from .. import __version__
from ..core.errors import InputError
from .arguments import positive
from .signals import Terminated

log = logging.getLogger("dcz.serve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    parser.add_argument("--port", metavar="N", type=int, default=8000, help="port to listen at (default %(default)s)")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads to run on (default: all cores)")
    parser.add_argument("--batch-size", metavar="N", type=positive, default=16, help="samples at a time (default 16)")
    parser.add_argument(
        "--max-delay", metavar="MS", type=float, default=2, help="that a sample waits for others (default 2 ms)"
    )
    parser.add_argument(
        "--max-requests", metavar="N", type=positive, default=64, help="at a time, more get status 429 (default 64)"
    )
    parser.add_argument("--max-body", metavar="MB", type=positive, default=16, help="of a request (default 16 MB)")
    parser.add_argument(
        "--max-pixels", metavar="N", type=positive, default=25_000_000, help="of an image (default 25 million)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; requests that came before are answered."""
    import uvicorn

    from ..runtime import load
    from ..serving.app import Service
    from ..serving.bodies import Limits

    limits = Limits(args.max_body << 20, args.max_pixels, requests=args.max_requests)
    model = load(args.model, args.threads)
    service = Service(model, Path(args.model).name, args.batch_size, args.max_delay / 1000, limits, __version__)
    with closing(_listening(args.host, args.port)) as listening:
        host, port = listening.getsockname()[:2]
        log.info("serving %s at http://%s:%d; Ctrl-C stops", args.model, f"[{host}]" if ":" in host else host, port)
        server = uvicorn.Server(uvicorn.Config(service.app, log_level="warning", timeout_graceful_shutdown=30))
        with suppress(KeyboardInterrupt, Terminated):  # raised again once the last request is answered
            server.run([listening])
    return 0


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises
    ------
    OSError
        The address is not this machine's, or is in use; the error names it.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"cannot listen: {text}", where=f"{host}:{port}", hint="name another --host or --port"
        ) from None
