"""Signs requests with botocore. A request in JSON a line in, the same signed a line out."""

import base64
import datetime
import json
import sys
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CHUNKED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Chunked(botocore.auth.S3SigV4Auth):
    """The head of a request whose body comes in signed chunks."""

    def payload(self, request):
        return CHUNKED


class Unsigned(botocore.auth.S3SigV4Auth):
    def payload(self, request):
        return "UNSIGNED-PAYLOAD"


def chunks(auth, request, body, size):
    """The body in chunks, each signed over the one before it."""
    before = request.headers["Authorization"].rsplit("=", 1)[1]
    out = b""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    for piece in [*pieces, b""]:
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD",
                request.context["timestamp"],
                auth.credential_scope(request),
                before,
                EMPTY,
                botocore.auth.sha256(piece).hexdigest(),
            ]
        )
        before = auth.signature(text, request)
        out += f"{len(piece):x};chunk-signature={before}\r\n".encode() + piece + b"\r\n"
    return out


def sign(job):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=job.get("shift", 0))
    botocore.auth.get_current_datetime = lambda: now
    credentials = Credentials(job["key"], job["secret"], job.get("token"))
    body = job.get("body", "").encode()
    place = [credentials, job["service"], job["region"]]
    kind = {
        "header": botocore.auth.SigV4Auth,
        "s3": botocore.auth.S3SigV4Auth,
        "query": botocore.auth.SigV4QueryAuth,
        "s3_query": botocore.auth.S3SigV4QueryAuth,
        "chunked": Chunked,
        "unsigned": Unsigned,
    }[job["form"]]
    auth = kind(*place, **({"expires": job["expires"]} if "expires" in job else {}))
    headers = dict(job.get("headers", {}))
    if kind is Chunked:
        headers |= {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(len(body))}
    request = AWSRequest(job["method"], "http://gateway.example" + job["target"], headers, body or None)
    auth.add_auth(request)
    if kind is Chunked:
        body = chunks(auth, request, body, job.get("chunk", 65536))
    parts = urlsplit(request.url)
    return {
        "method": job["method"],
        "target": parts.path + (f"?{parts.query}" if parts.query else ""),
        "headers": list(request.headers.items()),
        "body": base64.b64encode(body).decode(),
    }


for line in sys.stdin:
    print(json.dumps(sign(json.loads(line))), flush=True)
