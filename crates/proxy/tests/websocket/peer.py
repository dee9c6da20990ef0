"""Both ends of a WebSocket through the gateway.

peer.py server          listens on a free port, prints it, and answers every message with itself
peer.py client URL      talks to such a server; prints "done" when everything was as it should be
"""
import asyncio
import os
import sys

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        if message == "goodbye":
            await socket.close(4001, "as asked")
            return
        await socket.send(message)


async def server():
    async with serve(echo, "127.0.0.1", 0, max_size=None, subprotocols=["chat.v2"]) as listening:
        print(next(iter(listening.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()


async def client(url):
    async with connect(url, open_timeout=60, max_size=None, subprotocols=["chat.v1", "chat.v2"]) as socket:
        assert socket.subprotocol == "chat.v2", socket.subprotocol
        assert socket.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        await socket.send("h\u00e9llo")
        assert await socket.recv() == "h\u00e9llo"
        big = os.urandom(3 << 20)
        await socket.send(big)
        assert await socket.recv() == big
        # One message in many frames, and a ping between two messages.
        await socket.send(piece for piece in ["a" * 70_000, "", "b"])
        assert await socket.recv() == "a" * 70_000 + "b"
        await asyncio.wait_for(await socket.ping(), 30)
        for number in range(500):
            await socket.send(str(number))
        for number in range(500):
            assert await socket.recv() == str(number)
        await socket.send("goodbye")
        try:
            await socket.recv()
            raise AssertionError("the server's close was lost")
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as asked"), closed
    print("done", flush=True)


asyncio.run(server() if sys.argv[1] == "server" else client(sys.argv[2]))
