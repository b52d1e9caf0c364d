"""WebSocket frames (RFC 6455) in raw bytes."""

import base64
import hashlib
import json
import os
import struct

from raw import Closed, RawClient, request_bytes

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def handshake_fields(key=None, **more):
    return {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key or base64.b64encode(os.urandom(16)).decode(), **more,
    }


def frame(opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
    """One frame; `length` is how the length is written: 7, 16 or 64 bits."""
    payload = payload.encode() if isinstance(payload, str) else payload
    first = (0x80 if final else 0) | reserved << 4 | opcode
    count = len(payload)
    length = length or (7 if count < 126 else 16 if count < 65536 else 64)
    mask_bit = 0x80 if masked else 0
    if length == 7:
        head = struct.pack("!BB", first, mask_bit | count)
    elif length == 16:
        head = struct.pack("!BBH", first, mask_bit | 126, count)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, count)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def close_frame(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


class RawSocket(RawClient):
    """A WebSocket client that sends exactly the frames it is given, and reads the server's strictly."""

    def __init__(self, port, fields=None, early=b"", **options):
        super().__init__(port, **options)
        key = base64.b64encode(os.urandom(16))
        self.send(request_bytes("GET", "/ws", {**handshake_fields(key.decode()), **(fields or {})}) + early)
        self.answer = self.read(head=True)
        assert self.answer.status == 101, self.answer
        expected = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        assert self.answer.get("Sec-WebSocket-Accept") == expected
        assert self.answer.get("Upgrade").lower() == "websocket"
        self.welcome = self.message()
        assert self.welcome["type"] == "connection_established"

    def frame(self):
        first, second = self.take(2)
        assert first & 0x70 == 0, "reserved bits"
        assert first & 0x80, "the server fragments nothing"
        assert second & 0x80 == 0, "a server masks nothing"
        count = second & 0x7F
        if count == 126:
            count = struct.unpack("!H", self.take(2))[0]
            assert count > 125
        elif count == 127:
            count = struct.unpack("!Q", self.take(8))[0]
            assert count > 65535
        return first & 0x0F, self.take(count)

    def message(self):
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        return json.loads(payload)

    def say(self, **message):
        self.send(frame(TEXT, json.dumps(message)))

    def ask(self, **message):
        self.say(**message)
        return self.message()

    def close_code(self):
        """Reads on to the close frame and the end; gives its code."""
        code = None
        try:
            while code is None:
                opcode, payload = self.frame()
                if opcode == CLOSE:
                    code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                    payload[2:].decode()
        except Closed:
            return None
        return code
