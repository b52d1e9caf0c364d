"""Chats with models: /v1/chat, conversations, OpenAI's form with OpenAI's own library, and phrased answers."""

import json

import openai
import pytest

from conftest import BINARY
from models import saying
from uploads import FORM, file_form

KEY = "key-for-openai"


@pytest.fixture(scope="module")
def forge(start_shared, utilities):
    library = BINARY.parent / "libagent_forge.so"
    assert library.exists(), f"{library} is missing: build it with `make build`"
    return start_shared([utilities, library], API_KEY_1=f"{KEY}:alice:read,write")


def bring(forge, archive, user="alice"):
    answer = forge.post("/v1/models/import", archive, forge.fields(user, **{"Content-Type": "application/x-tar"}))
    assert answer.status == 201, answer
    return answer.data.get("model_id") or answer.data["id"]


@pytest.fixture(scope="module")
def model(forge):
    return bring(forge, saying("Hi, you!"))


@pytest.fixture(scope="module")
def endless(forge):
    return bring(forge, saying("ab", ends=False, context=4096))


def chat(forge, body, user="alice"):
    return forge.post("/v1/chat", json.dumps(body), forge.fields(user, **{"Content-Type": "application/json"}))


def events(content):
    """Names and data of server-sent events."""
    found = []
    for block in content.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((lines.get("event"), json.loads(lines["data"])))
    return found


def test_a_model_answers(forge, model):
    answer = chat(forge, {"model_id": model, "message": "Who?"})
    assert answer.status == 200 and answer.json()["message"] == "Chat completed successfully", answer
    data = answer.data
    assert data["response"] == "Hi, you!" and data["model_id"] == model and data["user_id"] == "alice"
    assert data["usage"] == {"prompt_tokens": 4, "completion_tokens": 9, "total_tokens": 13}
    facts = data["metadata"]
    assert facts["finish_reason"] == "stop" and facts["inference_time_ms"] > 0 and facts["tokens_per_second"] > 0
    assert 0 < facts["confidence_score"] <= 1 and facts["model_version"].endswith("Z")


def test_a_stream_says_the_same_piece_by_piece(forge, model):
    answer = chat(forge, {"model_id": model, "message": "Who?", "stream": True})
    assert answer.status == 200 and answer.get("Content-Type").startswith("text/event-stream")
    *tokens, (name, data) = events(answer.content)
    assert {name for name, _ in tokens} == {"token"} and "".join(data["text"] for _, data in tokens) == "Hi, you!"
    assert len(tokens) == 8 and name == "done" and data["response"] == "Hi, you!"


def test_a_conversation_is_kept_for_its_owner(forge, model):
    first = chat(forge, {"model_id": model, "message": "one?"}).data
    name = first["conversation_id"]
    second = chat(forge, {"model_id": model, "message": "two?", "conversation_id": name}).data
    assert second["conversation_id"] == name and second["usage"]["prompt_tokens"] == len("one?\nHi, you!\ntwo?")
    shown = forge.get(f"/v1/conversations/{name}", forge.fields()).data
    assert [turn["content"] for turn in shown["turns"]] == ["one?", "Hi, you!", "two?", "Hi, you!"]
    assert [turn["role"] for turn in shown["turns"]] == ["user", "assistant"] * 2
    listed = forge.get("/v1/conversations?limit=1", forge.fields()).data
    assert listed["conversations"][0]["conversation_id"] == name
    assert forge.get(f"/v1/conversations/{name}", forge.fields("bob")).status == 404
    assert forge.delete(f"/v1/conversations/{name}", forge.fields("bob")).status == 404
    assert forge.delete(f"/v1/conversations/{name}", forge.fields()).status == 200
    assert forge.get(f"/v1/conversations/{name}", forge.fields()).status == 404


def test_what_cannot_be_answered_is_refused(forge, model):
    assert chat(forge, {"model_id": model, "message": "x" * 5000}).status == 200
    for body, field in [
        ({"model_id": model, "message": "x" * 5001}, "message"), ({"model_id": model, "message": ""}, "message"),
        ({"model_id": model, "message": "x", "parameters": {"max_tokens": 0}}, "parameters.max_tokens"),
    ]:
        answer = chat(forge, body)
        assert (answer.status, answer.code) == (422, "VALIDATION_ERROR")
        assert answer.json()["details"][0]["field"] == field
    for other, user in [("no-such-model", "alice"), (model, "bob")]:
        answer = chat(forge, {"model_id": other, "message": "x"}, user)
        assert (answer.status, answer.code) == (404, "RESOURCE_NOT_FOUND")
    assert forge.post("/v1/chat", "{}", None).status == 401


def test_a_message_that_is_no_utf8_is_refused_and_nothing_is_stored(forge, model):
    body = b'{"model_id": "' + model.encode() + b'", "conversation_id": "bytes", "message": "\xff\xfe?"}'
    answer = forge.post("/v1/chat", body, forge.fields(**{"Content-Type": "application/json"}))
    assert (answer.status, answer.code) == (422, "VALIDATION_ERROR"), answer
    assert forge.get("/v1/conversations/bytes", forge.fields()).status == 404


def test_a_long_message_is_cut_and_the_answer_says_so(forge, model):
    data = chat(forge, {"model_id": model, "message": "x" * 600 + "?"}).data
    assert data["truncated"] is True and data["response"] == "Hi, you!"
    assert data["usage"]["prompt_tokens"] == 256


def test_a_stop_string_and_the_limits_end_an_answer(forge, model, endless):
    parameters = {"stop": ["yo"], "temperature": 0}
    assert chat(forge, {"model_id": model, "message": "?", "parameters": parameters}).data["response"] == "Hi, "
    data = chat(forge, {"model_id": endless, "message": "?", "parameters": {"max_tokens": 7}}).data
    assert data["response"] == "abbbbbb" and data["metadata"]["finish_reason"] == "length"


def test_a_client_that_leaves_ends_its_answer(forge, endless):
    body = {"model_id": endless, "message": "?", "conversation_id": "left", "stream": True,
            "parameters": {"max_tokens": 4096}}
    with forge.client(receive_buffer=4096) as client:
        client.send(
            "POST /v1/chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Authorization: {forge.fields()['Authorization']}\r\nContent-Length: {len(json.dumps(body))}\r\n\r\n"
            + json.dumps(body)
        )
        assert b"200" in client.take(15)
    # Answered only when a thread is free again for it.
    assert chat(forge, {"model_id": endless, "message": "?", "parameters": {"max_tokens": 1}}).status == 200
    assert forge.get("/v1/conversations/left", forge.fields()).status == 404


@pytest.fixture(scope="module")
def client(forge):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{forge.port}/openai/v1", api_key=KEY, max_retries=0)


def test_openais_library_lists_and_asks(client, model):
    assert model in [one.id for one in client.models.list()]
    assert client.models.retrieve(model).owned_by == "alice"
    made = client.chat.completions.create(
        model=model, temperature=0, seed=1, messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
        ])
    assert made.choices[0].message.content == "Hi, you!" and made.choices[0].finish_reason == "stop"
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
    cut = client.chat.completions.create(
        model=model, temperature=0, messages=[{"role": "user", "content": "?"}], max_completion_tokens=2, stop="zz")
    assert cut.choices[0].message.content == "Hi" and cut.choices[0].finish_reason == "length"


def test_openais_library_streams(client, model):
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "?"}], stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hi, you!"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 9 and not chunks[-1].choices
    assert len({c.id for c in chunks}) == 1


def test_openais_library_understands_refusals(client, forge, model):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="none", messages=[{"role": "user", "content": "x"}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], n=2)
    assert bad.value.param == "n"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none")
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=client.base_url, api_key="wrong", max_retries=0).models.list()


def test_a_model_phrases_the_answer_to_a_query(forge, model):
    # The prompt ends with "Answer:", so a model that goes on from a colon is asked.
    phraser = bring(forge, saying(" May!", after=":", context=4096))
    upload = file_form(b"Bees swarm in May when the hive is full.", "bees.txt")
    assert forge.post("/v1/upload", upload, forge.fields(**FORM)).status in (200, 201)

    def ask(**more):
        body = {"query": "When do bees swarm?", "mode": "comprehensive", **more}
        return forge.post("/v1/query", json.dumps(body), forge.fields(**{"Content-Type": "application/json"}))

    plain, phrased = ask().data, ask(model_id=phraser).data
    assert phrased["phrased_answer"]["text"] == " May!" and phrased["phrased_answer"]["model_id"] == phraser
    assert "phrased_answer" not in plain
    assert phrased["answer"] == plain["answer"] and phrased["sources"] == plain["sources"]
    missing = ask(model_id="none")
    assert (missing.status, missing.code) == (404, "RESOURCE_NOT_FOUND") and "model_id" in missing.json()["message"]
    for mode in ["fast", "balanced", "analytical"]:
        assert ask(model_id=phraser, mode=mode).status == 422


def test_without_a_plugin_of_models_a_query_with_a_model_is_refused(start, utilities):
    gateway = start([utilities])
    upload = file_form(b"Bees swarm in May.", "bees.txt")
    assert gateway.post("/v1/upload", upload, gateway.fields(**FORM)).status in (200, 201)
    question = json.dumps({"query": "bees swarm", "model_id": "x"})
    answer = gateway.post("/v1/query", question, gateway.fields(**{"Content-Type": "application/json"}))
    assert answer.status == 422 and answer.json()["details"][0]["field"] == "model_id"
