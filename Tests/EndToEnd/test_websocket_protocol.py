"""/ws: the protocol (RFC 6455) in raw frames, and its limits."""

import struct
import time

import pytest
from websockets.exceptions import ConnectionClosed

from conftest import eventually, make_token
from frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, close_frame, frame, handshake_fields
from messages import ask, library, publish, receive
from raw import bearer


@pytest.fixture(scope="module")
def small(start_shared, edge):
    return start_shared(
        [edge], LIMIT_MESSAGE_BYTES=1000, LIMIT_SOCKET_QUEUE_BYTES=65536, LIMIT_TOPICS_PER_CONNECTION_COUNT=1)


def test_a_fragmented_message_is_put_together_around_control_frames(gateway):
    with RawSocket(gateway.port) as socket:
        socket.send(frame(TEXT, '{"ty', final=False) + frame(PING, b"between"))
        assert socket.frame() == (PONG, b"between")
        socket.send(frame(CONTINUATION, 'pe":', final=False) + frame(CONTINUATION, "", final=False))
        socket.send(frame(PONG, b"unasked") + frame(CONTINUATION, '"ping"}'))
        assert socket.message()["type"] == "pong"


def test_frames_cut_at_every_byte_are_read_the_same(gateway):
    message = frame(TEXT, '{"type":', final=False) + frame(PING, b"p") + frame(CONTINUATION, b'"ping"}' + b" " * 200)
    with RawSocket(gateway.port) as socket, gateway.client() as other:
        for cut in range(1, len(message)):
            socket.send(message[:cut])
            other.get("/health/live")
            socket.send(message[cut:])
            assert socket.frame() == (PONG, b"p"), f"cut at {cut}"
            assert socket.message()["type"] == "pong"


def test_frames_right_behind_the_handshake_are_answered(gateway):
    with RawSocket(gateway.port, early=frame(TEXT, '{"type":"ping"}') * 3) as socket:
        assert [socket.message()["type"] for _ in range(3)] == ["pong"] * 3


def test_a_character_may_be_cut_by_fragments(gateway):
    text = '{"type":"é€😀"}'.encode()
    with RawSocket(gateway.port) as socket:
        for cut in range(1, len(text)):
            socket.send(frame(TEXT, text[:cut], final=False) + frame(CONTINUATION, text[cut:]))
            assert socket.message()["code"] == "UNKNOWN_TYPE"


@pytest.mark.parametrize("payload", [
    b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok \xe2\x82", b"\xe2\x28\xa1"])
def test_text_that_is_no_utf_8_is_closed_with_1007(gateway, payload):
    with RawSocket(gateway.port) as socket:
        socket.send(frame(TEXT, payload))
        assert socket.close_code() == 1007


@pytest.mark.parametrize("name,sent", [
    ("an unmasked frame", frame(TEXT, "{}", masked=False)), ("a reserved bit", frame(TEXT, "{}", reserved=4)),
    ("another reserved bit", frame(TEXT, "{}", reserved=1)), ("a reserved opcode", frame(3, "{}")),
    ("a reserved control opcode", frame(11, "")), ("a fragmented ping", frame(PING, "", final=False)),
    ("a long ping", frame(PING, b"x" * 126)), ("a continuation of nothing", frame(CONTINUATION, "{}")),
    ("a message in a message", frame(TEXT, "{", final=False) + frame(TEXT, "}")),
    ("a length in too many bytes", frame(TEXT, "{}", length=16)), ("a length in 64 bits", frame(TEXT, "{}", length=64)),
    ("a close with one byte", frame(CLOSE, b"\x03")), ("close code 999", close_frame(999)),
    ("close code 1004", close_frame(1004)), ("close code 1005", close_frame(1005)),
    ("close code 1006", close_frame(1006)), ("close code 1015", close_frame(1015)), ("close code 5000", close_frame(5000))])
def test_a_breach_of_the_protocol_is_closed_with_1002(gateway, name, sent):
    with RawSocket(gateway.port) as socket:
        socket.send(sent)
        assert socket.close_code() == 1002


def test_a_close_reason_that_is_no_utf_8_is_refused(gateway):
    with RawSocket(gateway.port) as socket:
        socket.send(close_frame(1000, b"\xff"))
        assert socket.close_code() == 1007


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1011, 3000, 4999])
def test_a_close_is_answered_with_its_code(gateway, code):
    with RawSocket(gateway.port) as socket:
        socket.send(close_frame(code, "gone".encode()))
        assert socket.close_code() == code
        assert socket.is_closed()


def test_a_close_without_a_code_is_answered(gateway):
    with RawSocket(gateway.port) as socket:
        socket.send(close_frame())
        assert socket.close_code() in (1000, 1005)
        assert socket.is_closed()


def test_the_library_closes_in_order(gateway):
    with library(gateway) as socket:
        receive(socket)
        socket.close(4000, "done")
        assert socket.close_code == 4000


def padded(size):
    return '{"type":"ping"}' + " " * (size - 15)


def test_a_message_of_exactly_the_limit_is_taken(small):
    with RawSocket(small.port) as socket:
        socket.send(frame(TEXT, padded(1000)))
        assert socket.message()["type"] == "pong"
        socket.send(frame(TEXT, padded(600), final=False) + frame(CONTINUATION, " " * 400))
        assert socket.message()["type"] == "pong"


@pytest.mark.parametrize("sent", [
    frame(TEXT, padded(1001)), frame(BINARY, b"x" * 1001),
    frame(TEXT, padded(600), final=False) + frame(CONTINUATION, " " * 401),
    struct.pack("!BBQ", 0x81, 0xFF, 1 << 40) + b"mask"])
def test_a_message_beyond_the_limit_is_closed_with_1009(small, sent):
    with RawSocket(small.port) as socket:
        socket.send(sent)
        assert socket.close_code() == 1009


def test_a_client_that_only_asks_and_never_reads_costs_little(small):
    before = small.reset_peak()
    with RawSocket(small.port, receive_buffer=4096) as socket:
        socket.socket.settimeout(1)
        with pytest.raises((TimeoutError, ConnectionError)):
            while True:
                socket.send(frame(TEXT, '{"type":"get_status"}') * 1000)
    assert small.memory() - before < 16 << 20


def test_a_revoked_token_opens_no_socket(gateway):
    token = make_token()
    assert gateway.run("token", "revoke", token).returncode == 0

    def is_refused():
        with RawSocket(gateway.port) as socket:
            return socket.ask(type="auth", token=token)["type"] == "error"

    eventually(is_refused)


def test_an_open_socket_ends_once_its_token_is_revoked(gateway):
    token = make_token()
    with library(gateway, token) as socket:
        receive(socket)
        assert gateway.run("token", "revoke", token).returncode == 0

        def has_ended():
            try:
                socket.send('{"type":"ping"}')
                return receive(socket)["type"] == "error"
            except ConnectionClosed:
                return True

        eventually(has_ended)
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                receive(socket)
        assert ended.value.rcvd.code == 1008


def test_topics_beyond_the_limit_are_refused(small):
    with RawSocket(small.port, bearer(make_token())) as socket:
        assert socket.ask(type="subscribe", topics=["edge.own"])["topics"] == ["edge.own"]
        assert socket.ask(type="subscribe", topics=["edge.open"])["code"] == "LIMIT_EXCEEDED"
        publish(small, "edge.open", {})
        publish(small, "edge.own", {})
        while (message := socket.message())["type"] == "subscriptions":
            assert message["topics"] == ["edge.own"]
        assert message["type"] == "edge.own"


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe"])
def test_a_message_that_names_more_topics_than_the_limit_gets_one_error(gateway, kind):
    with RawSocket(gateway.port) as socket:
        assert socket.ask(type=kind, topics=["?"] * 65)["code"] == "LIMIT_EXCEEDED"
        assert socket.ask(type="ping")["type"] == "pong"
        socket.say(type=kind, topics=["?"] * 64)
        assert {socket.message()["code"] for _ in range(64)} == {"UNKNOWN_TOPIC"}
        assert socket.message()["type"] == "subscriptions"


def test_a_slow_reader_is_closed_with_1013_and_costs_little(small):
    small.get("/v1/edge/flood/1000", bearer(make_token("other")))
    before = small.reset_peak()
    with RawSocket(small.port, bearer(make_token("slow")), receive_buffer=4096) as socket, \
            RawSocket(small.port, bearer(make_token("slow"))) as quick:
        answer = small.get("/v1/edge/flood/12000", bearer(make_token("other")))
        assert answer.data == {"sent": 12000}
        small.get("/v1/edge/flood/12000", bearer(make_token("slow")))
        assert socket.close_code() == 1013
    assert small.memory() - before < 24 << 20


def test_a_silent_client_is_pinged_and_then_closed(start, edge):
    gateway = start([edge], LIMIT_PING_SECONDS=0.3)
    with RawSocket(gateway.port) as socket, library(gateway) as lively:
        receive(lively)
        for _ in range(3):
            opcode, payload = socket.frame()
            assert opcode == PING
            socket.send(frame(PONG, payload))
        began = time.monotonic()
        assert socket.frame()[0] == PING
        assert socket.close_code() is None
        assert 0.2 < time.monotonic() - began < 3
        assert ask(lively, type="ping")["type"] == "pong", "the library answers pings by itself"


@pytest.mark.parametrize("change,status", [
    ({"Sec-WebSocket-Key": "short"}, 400), ({"Sec-WebSocket-Version": "12"}, 426), ({"Upgrade": "h2c"}, 426),
    ({"Connection": "keep-alive"}, 426)])
def test_a_bad_handshake_is_refused(gateway, change, status):
    answer = gateway.get("/ws", {**handshake_fields(), **change})
    assert answer.status == status and answer.json()["success"] is False
    if status == 426:
        assert answer.get("Sec-WebSocket-Version") == "13" and answer.get("Upgrade") == "websocket"
        assert "Upgrade" in answer.all("Connection")


def test_a_handshake_is_a_get_without_a_body(gateway):
    with gateway.client() as client:
        assert client.request("POST", "/ws", handshake_fields(), "").status == 405
    with gateway.client() as client:
        assert client.request("GET", "/ws", handshake_fields(), "body").status == 400


def test_a_handshake_may_follow_other_requests(gateway):
    with gateway.client() as client:
        assert client.get("/health").status == 200
        answer = client.request("GET", "/ws", handshake_fields(), head=True)
        assert answer.status == 101
