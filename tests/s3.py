"""A real server of the S3 protocol for tests, and the environment that leads to it."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def _one_at_a_time(app: Any) -> Any:
    """A conditional put looks and then stores: moto lets another request in between, a real store does not."""
    lock = threading.Lock()

    def serial(environ: Any, start_response: Any) -> Any:
        with lock:
            return app(environ, start_response)

    return serial


@contextmanager
def serving() -> Iterator[Any]:
    """A client of a server with the bucket `lakes`; keys and address stand in the environment meanwhile."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = _one_at_a_time(server._server.app)
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "a-very-secret-key",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="lakes")
    yield client
    client.close()
    server.stop()
    server._server.server_close()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
