"""Who is let in: tokens as PyJWT makes them, API keys, scopes, second factors, revocation."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest

from conftest import SECRET, eventually, make_token
from raw import bearer

READ = "/v1/edge/text/1"


@pytest.fixture(scope="module")
def guarded(start_shared, edge, utilities):
    return start_shared(
        [edge, utilities], API_KEY_1="key-one:carol:read,write:premium", API_KEY_2="key-two:dave:read",
        LIMIT_CREDENTIAL_BYTES=600, RATE_LIMIT_TIERS="bench:0:0,standard:0:0,premium:0:0", LOG_LEVEL="debug",
    )


def refusal(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer.get("WWW-Authenticate")


def unauthenticated(answer):
    return refusal(answer, 401, "AUTHENTICATION_REQUIRED")


def sign(header, claims, key=SECRET.encode(), digest=hashlib.sha256):
    def encode(value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = encode(header) + b"." + encode(claims)
    return (text + b"." + encode(hmac.new(key, text, digest).digest())).decode()


def claims(**more):
    return {"sub": "alice", "exp": int(time.time()) + 60, "scope": ["read"], "rate_limit_tier": "bench", **more}


def test_without_credentials_a_route_is_closed(guarded):
    assert unauthenticated(guarded.get(READ)) == 'Bearer realm="gateway"'


def test_a_token_made_by_pyjwt_is_taken(guarded):
    assert guarded.get(READ, bearer(make_token())).status == 200


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key"])
def test_a_credential_that_is_repeated_is_refused(guarded, name):
    value = f"Bearer {make_token(tier='standard')}"
    head = f"GET /v1/edge/seen/x HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n{name.lower()}: {value}\r\n\r\n"
    with guarded.client() as client:
        client.send(head)
        answer = client.read()
    assert (answer.status, answer.code) == (401, "AUTHENTICATION_REQUIRED")
    assert "invalid_request" in answer.get("WWW-Authenticate")


@pytest.mark.parametrize("word", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_taken_in_any_case(guarded, word):
    assert guarded.get(READ, {"Authorization": f"{word} {make_token()}"}).status == 200


def test_a_token_made_by_the_command_line_is_taken_by_gateway_and_pyjwt(guarded):
    token = guarded.token("bob", "read,write", "premium", "--mfa", "--ttl", "90s")
    assert guarded.get(READ, bearer(token)).status == 200
    read = jwt.decode(token, SECRET, ["HS256"])
    assert read["sub"] == "bob" and read["scope"] == ["read", "write"] and read["mfa_verified"] is True
    assert read["rate_limit_tier"] == "premium" and read["exp"] - read["iat"] == 90 and read["jti"]


def test_the_scopes_of_a_token_may_be_one_text(guarded):
    token = jwt.encode({**claims(), "scope": "read write"}, SECRET, "HS256")
    assert guarded.get(READ, bearer(token)).status == 200


def test_the_algorithm_none_is_refused(guarded):
    token = jwt.encode(claims(), None, "none")
    assert 'error="invalid_token"' in unauthenticated(guarded.get(READ, bearer(token)))
    head, body, _ = sign({"alg": "none"}, claims()).split(".")
    for signature in ["", "AAAA"]:
        unauthenticated(guarded.get(READ, bearer(f"{head}.{body}.{signature}")))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", "", None, 1])
def test_another_algorithm_in_the_head_is_refused_although_the_signature_fits(guarded, algorithm):
    token = sign({"alg": algorithm, "typ": "JWT"}, claims())
    unauthenticated(guarded.get(READ, bearer(token)))


def test_a_token_of_another_algorithm_is_refused(guarded):
    token = jwt.encode(claims(), SECRET * 2, "HS512")
    unauthenticated(guarded.get(READ, bearer(token)))
    unauthenticated(guarded.get(READ, bearer(sign({"alg": "HS512"}, claims(), digest=hashlib.sha512))))


def test_a_token_of_another_key_is_refused(guarded):
    token = make_token(secret="another secret that has more than 32 bytes")
    assert 'error="invalid_token"' in unauthenticated(guarded.get(READ, bearer(token)))


def test_a_token_changed_in_any_character_is_refused(guarded):
    token = make_token()
    with guarded.client() as client:
        for index in range(0, len(token) - 1, 7):
            other = "A" if token[index] != "A" else "B"
            unauthenticated(client.get(READ, bearer(token[:index] + other + token[index + 1:])))
        assert client.get(READ, bearer(token)).status == 200


@pytest.mark.parametrize("change", [
    lambda t: t + "=", lambda t: t + ".", lambda t: t + ".AAAA", lambda t: "." + t, lambda t: t[:-1],
    lambda t: t.rsplit(".", 1)[0], lambda t: t.rsplit(".", 1)[0] + ".", lambda t: "", lambda t: "..",
    lambda t: t + " x", lambda t: t.replace(".", ". ", 1), lambda t: "x" * 599])
def test_what_is_no_token_is_refused(guarded, change):
    unauthenticated(guarded.get(READ, {"Authorization": f"Bearer {change(make_token())}"}))


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Token x", "Bearerx", ","])
def test_another_scheme_is_refused(guarded, value):
    unauthenticated(guarded.get(READ, {"Authorization": value}))


def test_a_token_is_read_up_to_the_limit_and_not_beyond(guarded):
    def of_length(length):
        for pad in range(400):
            token = jwt.encode(claims(pad="x" * pad), SECRET, "HS256")
            if len(token) == length:
                return token
        return None

    # Base64 leaves out one length in four.
    taken = next(token for length in (600, 599) if (token := of_length(length)))
    refused = next(token for length in (601, 602) if (token := of_length(length)))
    assert guarded.get(READ, bearer(taken)).status == 200
    challenge = unauthenticated(guarded.get(READ, bearer(refused)))
    assert "600 bytes" in challenge


@pytest.mark.parametrize("times,status", [
    ({"exp": -20}, 200), ({"exp": -40}, 401), ({"exp": -86400}, 401), ({"nbf": 20}, 200), ({"nbf": 45}, 401),
    ({"iat": 20}, 200), ({"iat": 45}, 401), ({"nbf": -10, "iat": -10}, 200)])
def test_clocks_may_differ_by_30_seconds(guarded, times, status):
    now = int(time.time())
    token = jwt.encode(claims(**{name: now + shift for name, shift in times.items()}), SECRET, "HS256")
    assert guarded.get(READ, bearer(token)).status == status


def test_a_token_that_was_good_is_refused_once_it_has_expired(guarded):
    token = jwt.encode(claims(exp=int(time.time()) - 28), SECRET, "HS256")
    with guarded.client() as client:
        assert client.get(READ, bearer(token)).status == 200
        eventually(lambda: client.get(READ, bearer(token)).status == 401, limit=6)


@pytest.mark.parametrize("change", [
    {"sub": None}, {"exp": None}, {"sub": ""}, {"sub": 1}, {"sub": "x" * 257}, {"exp": "soon"}, {"scope": 7},
    {"scope": [1]}, {"mfa_verified": "yes"}, {"sub": "a\nb"}])
def test_a_claim_that_is_missing_or_wrong_is_refused(guarded, change):
    body = {name: value for name, value in claims(**change).items() if value is not None}
    unauthenticated(guarded.get(READ, bearer(sign({"alg": "HS256"}, body))))


def test_a_critical_header_that_is_not_understood_is_refused(guarded):
    unauthenticated(guarded.get(READ, bearer(sign({"alg": "HS256", "crit": ["b64"], "b64": False}, claims()))))


def test_the_missing_scope_is_named(guarded):
    with guarded.client() as client:
        answer = client.get("/metrics", bearer(make_token(scope="read,write")))
        challenge = refusal(answer, 403, "INSUFFICIENT_PERMISSIONS")
        assert 'error="insufficient_scope"' in challenge and 'scope="admin"' in challenge
        assert "admin" in answer.json()["message"]
        answer = client.post("/v1/upload", "", bearer(make_token(scope="read")))
        assert 'scope="write"' in refusal(answer, 403, "INSUFFICIENT_PERMISSIONS")
        answer = client.get(READ, bearer(make_token(scope="write")))
        assert 'scope="read"' in refusal(answer, 403, "INSUFFICIENT_PERMISSIONS")


def test_metrics_are_for_administrators(guarded):
    unauthenticated(guarded.get("/metrics"))
    answer = guarded.get("/metrics", bearer(make_token(scope="read,admin")))
    assert answer.status == 200 and b"gateway_responses_total" in answer.content


def test_an_api_key_names_its_user(guarded):
    with guarded.client() as client:
        assert client.get(READ, {"X-API-Key": "key-one"}).get("X-RateLimit-Tier") == "premium"
        assert client.get(READ, {"X-API-Key": "key-two"}).get("X-RateLimit-Tier") == "standard"
        answer = client.post("/v1/upload", "", {"X-API-Key": "key-two"})
        assert 'scope="write"' in refusal(answer, 403, "INSUFFICIENT_PERMISSIONS")
        assert client.get("/v1/files", {"X-API-Key": "key-one"}).data["user_id"] == "carol"


def test_an_api_key_is_taken_as_a_bearer_credential_too(guarded):
    with guarded.client() as client:
        for _ in range(2):
            assert client.get(READ, bearer("key-one")).get("X-RateLimit-Tier") == "premium"
        assert client.get("/v1/files", bearer("key-one")).data["user_id"] == "carol"
        assert 'scope="write"' in refusal(client.post("/v1/upload", "", bearer("key-two")), 403, "INSUFFICIENT_PERMISSIONS")


@pytest.mark.parametrize("key", ["key-on", "key-onee", "KEY-ONE", "key-one.", "key-one..", "key-one:carol", "x" * 601])
def test_another_bearer_key_is_refused(guarded, key):
    assert 'error="invalid_token"' in unauthenticated(guarded.get(READ, bearer(key)))


@pytest.mark.parametrize("key", ["key-on", "key-onee", "KEY-ONE", "key-one:carol", "", "x" * 601])
def test_another_api_key_is_refused(guarded, key):
    assert unauthenticated(guarded.get(READ, {"X-API-Key": key})).startswith('Bearer realm="gateway"')


def test_wrong_credentials_are_refused_on_a_public_route_too(guarded):
    assert guarded.get("/v1/edge/fail/418").status == 418
    unauthenticated(guarded.get("/v1/edge/fail/418", bearer("x")))


def test_a_second_factor_is_required_where_configured(start, edge):
    gateway = start([edge], REQUIRE_MFA="true", API_KEY_1="key-one:carol:read")
    assert gateway.get(READ, bearer(make_token(mfa_verified=True))).status == 200
    for fields in [bearer(make_token()), {"X-API-Key": "key-one"}]:
        challenge = refusal(gateway.get(READ, fields), 403, "INSUFFICIENT_PERMISSIONS")
        assert "insufficient_user_authentication" in challenge
    unauthenticated(gateway.get(READ))


def test_issuer_and_audience_are_checked_where_configured(start, edge):
    gateway = start([edge], JWT_ISSUER="issuer", JWT_AUDIENCE="here")
    for good in [{"iss": "issuer", "aud": "here"}, {"iss": "issuer", "aud": ["there", "here"]}]:
        assert gateway.get(READ, bearer(make_token(**good))).status == 200
    for bad in [{}, {"iss": "issuer"}, {"aud": "here"}, {"iss": "other", "aud": "here"}, {"iss": "issuer", "aud": "x"}]:
        unauthenticated(gateway.get(READ, bearer(make_token(**bad))))
    assert gateway.get(READ, bearer(gateway.token())).status == 200


def test_a_revoked_token_is_refused_by_the_running_gateway(guarded):
    token, other = make_token(), make_token()
    assert guarded.get(READ, bearer(token)).status == 200
    revoked = guarded.run("token", "revoke", token)
    assert revoked.returncode == 0 and "revoked" in revoked.stdout
    eventually(lambda: guarded.get(READ, bearer(token)).status == 401, limit=10)
    assert guarded.get(READ, bearer(other)).status == 200
    assert guarded.run("token", "inspect", token).returncode == 1


def test_no_credential_is_ever_logged(guarded):
    token = make_token(user="noted")
    guarded.get(READ, bearer(token))
    guarded.get(READ, bearer(token[:-2]))
    guarded.get(READ, {"X-API-Key": "key-one"})
    guarded.get("/nowhere?token=" + token, {"X-API-Key": "no-such-key"})
    guarded.log.find('subject="noted"')
    guarded.log.find("GET /nowhere 40")
    text = guarded.log.text(100_000)
    for secret in [token, token.split(".")[2], "key-one", "no-such-key", SECRET]:
        assert secret not in text
