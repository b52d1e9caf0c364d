"""/ws: messages, identity and events."""

import json
import re
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import eventually, make_token
from frames import RawSocket
from messages import ask, library, publish, receive, upload
from raw import bearer


# Messages


def test_the_welcome_names_services_and_time(gateway):
    with library(gateway) as socket:
        welcome = receive(socket)
        assert welcome["type"] == "connection_established" and welcome["authenticated"] is False
        assert welcome["services"]["utilities"] is True and welcome["services"]["edge"] is True
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", welcome["timestamp"])


def test_ping_and_status_are_answered_to_everyone(gateway):
    with library(gateway) as socket:
        receive(socket)
        assert ask(socket, type="ping")["type"] == "pong"
        status = ask(socket, type="get_status")
        assert status["type"] == "status_update" and status["services"]["edge"]["status"] == "running"


def test_health_counts_the_connections(gateway):
    def active():
        return gateway.get("/health").json()["services"]["websocket"]["active_connections"]

    eventually(lambda: active() == 0)
    with library(gateway), library(gateway):
        eventually(lambda: active() == 2)
    eventually(lambda: active() == 0)


@pytest.mark.parametrize("sent,code", [
    ("{", "JSON_DECODE_ERROR"), ("", "JSON_DECODE_ERROR"), ("nonsense", "JSON_DECODE_ERROR"),
    ('{"type":"ping","type":"ping"}', "JSON_DECODE_ERROR"), ("[" * 1000, "JSON_DECODE_ERROR"),
    ("[1]", "PROCESSING_ERROR"), ('"ping"', "PROCESSING_ERROR"), ("{}", "UNKNOWN_TYPE"), ('{"type":1}', "UNKNOWN_TYPE"),
    ('{"type":"shutdown"}', "UNKNOWN_TYPE"), ('{"type":"subscribe"}', "VALIDATION_ERROR"),
    ('{"type":"subscribe","topics":[]}', "VALIDATION_ERROR"), ('{"type":"subscribe","topics":"a"}', "VALIDATION_ERROR"),
    ('{"type":"subscribe","topics":[1]}', "VALIDATION_ERROR"), ('{"type":"auth"}', "VALIDATION_ERROR"),
    ('{"type":"auth","token":""}', "VALIDATION_ERROR"), ('{"type":"auth","token":"x"}', "AUTHENTICATION_REQUIRED"),
    ('{"type":"subscribe","topics":["no.such.topic"]}', "UNKNOWN_TOPIC"),
    ('{"type":"subscribe","topics":["edge.own"]}', "FORBIDDEN_TOPIC"),
    ('{"type":"subscribe","topics":["edge.admin"]}', "FORBIDDEN_TOPIC")])
def test_a_bad_message_gets_a_typed_error_and_the_connection_stays(gateway, sent, code):
    with library(gateway) as socket:
        receive(socket)
        socket.send(sent)
        error = receive(socket)
        assert (error["type"], error["code"]) == ("error", code) and error["message"] and error["timestamp"]
        socket.send('{"type":"ping"}')
        while (message := receive(socket))["type"] == "subscriptions":
            assert message["topics"] == ["edge.open"], "nothing was chosen, so all permitted ones are left"
        assert message["type"] == "pong"


def test_a_binary_message_gets_a_typed_error_and_the_connection_stays(gateway):
    with library(gateway) as socket:
        receive(socket)
        socket.send(b'{"type":"ping"}')
        assert receive(socket)["code"] == "UNSUPPORTED_DATA"
        assert ask(socket, type="ping")["type"] == "pong"


# Identity


def test_the_bearer_field_identifies(gateway):
    with library(gateway, make_token()) as socket:
        assert receive(socket)["authenticated"] is True
        assert ask(socket, type="subscribe", topics=["edge.own"])["topics"] == ["edge.own"]


def test_the_bearer_subprotocol_identifies(gateway):
    with library(gateway, subprotocols=["bearer", make_token()]) as socket:
        assert socket.subprotocol == "bearer"
        assert receive(socket)["authenticated"] is True


def test_an_auth_message_identifies(gateway):
    with library(gateway) as socket:
        assert receive(socket)["authenticated"] is False
        answer = ask(socket, type="auth", token=make_token("alice", "read"))
        assert (answer["type"], answer["subject"], answer["scopes"]) == ("authenticated", "alice", ["read"])
        assert ask(socket, type="subscribe", topics=["edge.own"])["topics"] == ["edge.own"]
        error = ask(socket, type="subscribe", topics=["edge.admin"])
        assert error["code"] == "FORBIDDEN_TOPIC" and "admin" in error["message"]


@pytest.mark.parametrize("options", [
    {"additional_headers": bearer("nonsense")}, {"subprotocols": ["bearer", "nonsense"]},
    {"additional_headers": {"X-API-Key": "nonsense"}}])
def test_a_wrong_credential_is_refused_in_the_handshake(gateway, options):
    with pytest.raises(InvalidStatus) as refused:
        library(gateway, **options)
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["error_code"] == "AUTHENTICATION_REQUIRED"


def test_a_second_factor_is_asked_for_where_configured(start, edge):
    gateway = start([edge], REQUIRE_MFA="true")
    with pytest.raises(InvalidStatus) as refused:
        library(gateway, make_token())
    assert refused.value.response.status_code == 403
    with library(gateway) as socket:
        receive(socket)
        assert ask(socket, type="auth", token=make_token())["code"] == "INSUFFICIENT_PERMISSIONS"
        assert ask(socket, type="auth", token=make_token(mfa_verified=True))["type"] == "authenticated"


def test_guessing_tokens_over_a_socket_is_limited(start, edge):
    gateway = start([edge], RATE_LIMIT_TIERS="standard:5:1000")
    with library(gateway) as socket:
        receive(socket)
        codes = [ask(socket, type="auth", token=f"guess {n}")["code"] for n in range(6)]
    assert codes == ["AUTHENTICATION_REQUIRED"] * 4 + ["RATE_LIMIT_EXCEEDED"] * 2


def test_a_socket_ends_when_its_token_does(gateway):
    token = make_token(exp=int(time.time()) - 28)  # taken for 30 s more, for clocks that differ
    with library(gateway, token) as socket:
        assert receive(socket)["authenticated"] is True
        error = receive(socket)
        assert (error["type"], error["code"]) == ("error", "AUTHENTICATION_REQUIRED")
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(timeout=5)
        assert ended.value.rcvd.code == 1008


@pytest.fixture(scope="module")
def known_origins(start_shared, edge):
    return start_shared([edge], CORS_ORIGINS="https://app.example")


@pytest.mark.parametrize("origin,is_let_in", [
    ("https://evil.example", False), ("null", False), ("https://app.example", True), ("https://app.example:444", False),
    ("http://app.example", False), ("own", True), ("own tls", True), (None, True)])
def test_only_pages_of_known_origins_may_open_a_socket(known_origins, origin, is_let_in):
    gateway = known_origins
    own = f"127.0.0.1:{gateway.port}"
    origin = {"own": f"http://{own}", "own tls": f"https://{own}"}.get(origin, origin)
    if is_let_in:
        with library(gateway, origin=origin) as socket:
            receive(socket)
        return
    with pytest.raises(InvalidStatus) as refused:
        library(gateway, origin=origin)
    assert refused.value.response.status_code == 403


# Events


def test_events_of_a_users_work_go_to_that_user_alone(gateway):
    with library(gateway, make_token("ann")) as ann, library(gateway, make_token("ann")) as again, \
            library(gateway, make_token("bob", "read,write,admin")) as bob, library(gateway) as nobody:
        for socket in (ann, again, bob, nobody):
            receive(socket)
        stored = upload(gateway, "ann")
        publish(gateway, "edge.open", {"mark": 1})
        for socket in (ann, again):
            event = receive(socket)
            assert event["type"] == "file_uploaded" and event["file_id"] == stored["file_id"]
            assert event["filename"] == "note.txt" and event["sequence"] == 1 and event["timestamp"]
            assert receive(socket)["mark"] == 1
        for socket in (bob, nobody):
            assert receive(socket)["mark"] == 1, "somebody else's event came"


def test_topics_go_to_those_who_may_have_them(gateway):
    with library(gateway) as nobody, library(gateway, make_token("ann")) as ann, \
            library(gateway, make_token("root", "read,admin")) as root:
        for socket in (nobody, ann, root):
            receive(socket)
        for topic in ["edge.admin", "edge.own", "edge.open"]:
            publish(gateway, topic, {"n": topic})
        assert [receive(nobody)["type"]] == ["edge.open"]
        assert [receive(ann)["type"] for _ in range(2)] == ["edge.own", "edge.open"]
        assert [receive(root)["type"] for _ in range(3)] == ["edge.admin", "edge.own", "edge.open"]


def test_who_subscribes_gets_the_chosen_topics_alone(gateway):
    with library(gateway, make_token("ann", "read,admin")) as socket:
        receive(socket)
        assert ask(socket, type="subscribe", topics=["edge.open", "edge.admin"])["topics"] == ["edge.admin", "edge.open"]
        assert ask(socket, type="unsubscribe", topics=["edge.open"])["topics"] == ["edge.admin"]
        for topic in ["edge.open", "edge.own", "edge.admin"]:
            publish(gateway, topic, {})
        event = receive(socket)
        assert (event["type"], event["sequence"]) == ("edge.admin", 1)
        assert ask(socket, type="ping")["type"] == "pong"


def test_an_auth_message_opens_the_topics_of_the_identity(gateway):
    with library(gateway) as socket:
        receive(socket)
        publish(gateway, "edge.own", {"n": 1}, subject="zoe")
        ask(socket, type="auth", token=make_token("zoe"))
        publish(gateway, "edge.own", {"n": 2}, subject="zoe")
        assert receive(socket)["n"] == 2


def test_events_come_in_order_and_numbered(gateway):
    with library(gateway, make_token("ann")) as socket:
        receive(socket)
        assert gateway.get("/v1/edge/flood/300", bearer(make_token("ann"))).data == {"sent": 300}
        assert [receive(socket)["sequence"] for _ in range(300)] == list(range(1, 301))


def test_events_reach_clients_of_every_loop(start, edge):
    gateway = start([edge], WORKERS=3)
    sockets = [RawSocket(gateway.port) for _ in range(12)]
    publish(gateway, "edge.open", {"mark": 7})
    for socket in sockets:
        assert socket.message()["mark"] == 7
        socket.close()


def test_a_topic_whose_plugin_has_ended_can_be_left(start, edge, fixture_library):
    gateway = start([edge, fixture_library("swapped")])

    def answered(**message):
        """The answer, past the events that were published before it."""
        socket.send(json.dumps(message))
        while (answer := receive(socket))["type"] == "swapped.tick":
            pass
        return answer

    with library(gateway) as socket:
        receive(socket)
        assert "swapped.tick" in answered(type="subscribe", topics=["swapped.tick", "edge.open"])["topics"]
        assert gateway.run("plugin", "disable", "swapped").returncode == 0
        left = answered(type="unsubscribe", topics=["swapped.tick"])
        assert left["type"] == "subscriptions" and left["topics"] == ["edge.open"], left
        assert ask(socket, type="subscribe", topics=["swapped.tick"])["code"] == "UNKNOWN_TOPIC"
