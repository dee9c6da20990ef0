"""A real gRPC server and client for the tests of the gateway: `serve`, or `call ADDRESS CASE`."""

import sys
import threading
import time
from concurrent import futures

import grpc

STOPPING = threading.Event()


def unary(request, context):
    seen = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-first", seen.get("x-asked", "-")),))
    context.set_trailing_metadata((("x-last", "done"), ("x-raw-bin", b"\x00\xff")))
    return request[::-1]


def down(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def up(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    for request in requests:
        yield b"<" + request + b">"


def fail(request, context):
    context.set_trailing_metadata((("x-why", "so"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100 % nö\n")


def remaining(request, context):
    return b"%f" % context.time_remaining()


def slow(request, context):
    STOPPING.wait(120)
    return b"late"


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(16))
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Down": grpc.unary_stream_rpc_method_handler(down),
        "Up": grpc.stream_unary_rpc_method_handler(up),
        "Both": grpc.stream_stream_rpc_method_handler(both),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Remaining": grpc.unary_unary_rpc_method_handler(remaining),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    handlers = {"Method": grpc.unary_unary_rpc_method_handler(slow)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("slow.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()  # until the test is over
    STOPPING.set()
    server.stop(None)


def serve_health():
    """Lines of standard input are `SERVICE STATUS`, answered when they hold; `-` is the server as a whole."""
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    server = grpc.server(futures.ThreadPoolExecutor(4))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    for line in sys.stdin:
        service, status = line.split()
        servicer.set("" if service == "-" else service, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
        print("set", flush=True)
    server.stop(None)


def equal(left, right):
    assert left == right, f"{left!r} is not {right!r}"


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("no error")


def case_unary(channel):
    call = channel.unary_unary("/test.Echo/Unary")
    answer, rpc = call.with_call(b"abc", timeout=30, metadata=(("x-asked", "yes"),))
    equal(answer, b"cba")
    equal(dict(rpc.initial_metadata())["x-first"], "yes")
    trailing = dict(rpc.trailing_metadata())
    equal((trailing["x-last"], trailing["x-raw-bin"]), ("done", b"\x00\xff"))
    large = bytes(range(256)) * 8192
    equal(call(large, timeout=30), large[::-1])
    equal(call(b"", timeout=30), b"")


def case_streams(channel):
    down = channel.unary_stream("/test.Echo/Down")(b"300", timeout=30)
    equal([int(piece) for piece in down], list(range(300)))
    up = channel.stream_unary("/test.Echo/Up")
    equal(up((b"x" * 1000 for _ in range(500)), timeout=30), b"500000")
    # Each message is answered before the next one is made.
    answers = []

    def messages():
        for number in range(50):
            yield b"%d" % number
            while len(answers) <= number:
                time.sleep(0.001)

    for answer in channel.stream_stream("/test.Echo/Both")(messages(), timeout=30):
        answers.append(answer)
    equal(answers, [b"<%d>" % number for number in range(50)])


def case_error(channel):
    error = code_of(lambda: channel.unary_unary("/test.Echo/Fail")(b"", timeout=30))
    equal((error.code(), error.details()), (grpc.StatusCode.FAILED_PRECONDITION, "not now: 100 % nö\n"))
    equal(dict(error.trailing_metadata())["x-why"], "so")
    error = code_of(lambda: channel.unary_unary("/test.Echo/Unknown")(b"", timeout=30))
    equal(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def case_deadline(channel):
    left = float(channel.unary_unary("/test.Echo/Remaining")(b"", timeout=20))
    assert 0 < left <= 20, left
    start = time.monotonic()
    error = code_of(lambda: channel.unary_unary("/test.Echo/Slow")(b"", timeout=0.3))
    equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - start < 20


def case_faults(channel):
    def fault(method):
        error = code_of(lambda: channel.unary_unary(method)(b"", timeout=30))
        return error.code(), error.details().split(":")[0]

    equal(fault("/nowhere.Service/Method"), (grpc.StatusCode.UNIMPLEMENTED, "no_route"))
    equal(fault("/gone.Service/Method"), (grpc.StatusCode.UNAVAILABLE, "upstream_connect_failed"))
    equal(fault("/closed.Service/Method"), (grpc.StatusCode.UNAUTHENTICATED, "Authentication is required."))
    equal(fault("/slow.Service/Method"), (grpc.StatusCode.DEADLINE_EXCEEDED, "upstream_first_byte_timeout"))
    limited = channel.unary_unary("/limited.Service/Method")
    code_of(lambda: limited(b"", timeout=30))
    equal(fault("/limited.Service/Method"), (grpc.StatusCode.RESOURCE_EXHAUSTED, "rate_limited"))


def call(address, case):
    with grpc.insecure_channel(address) as channel:
        globals()["case_" + case](channel)


if __name__ == "__main__":
    if sys.argv[1] == "call":
        call(sys.argv[2], sys.argv[3])
    else:
        {"serve": serve, "health": serve_health}[sys.argv[1]]()
