"""A real S3 server on this machine, and what leads to it."""

import contextlib

import boto3
from moto.server import ThreadedMotoServer

_KEY = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def started_s3():
    """Give the URL of a server without buckets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def environment_of(url):
    """The environment in which programs reach a server."""
    return {**_KEY, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}


def client_of(url, service="s3"):
    """A client of a service of a server, whatever the environment says."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=_KEY["AWS_REGION"],
        aws_access_key_id=_KEY["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=_KEY["AWS_SECRET_ACCESS_KEY"],
    )
