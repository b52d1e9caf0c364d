"""Uploads, files and questions, through the real plugin on real input."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Gateway, eventually, make_token
from raw import bearer, request_bytes
from uploads import BOUNDARY, FORM, User, file_form, form, part

WATERWHEEL = Path(__file__).parents[1] / "UtilitiesTests/Documents/waterwheel.pdf"
WHALES = "# Whales\n\nThe blue whale is the largest animal that has ever lived.\n\n## Food\n\nIt eats krill.\n"


@pytest.fixture
def user(gateway, request):
    return User(gateway, request.node.name[:100])


def stored_files(gateway):
    directory = gateway.data / "plugins/utilities"
    return sorted(path.name for path in (directory / "blobs").rglob("*") if path.is_file())


def incoming(gateway):
    return list((gateway.data / "plugins/utilities/incoming").iterdir())


def test_an_upload_is_answered_with_what_became_of_it(user):
    data = user.upload(WHALES, "whales.md", "text/markdown")
    assert data["filename"] == "whales.md" and data["title"] == "Whales" and data["size"] == len(WHALES)
    assert data["sha256"] == hashlib.sha256(WHALES.encode()).hexdigest()
    assert data["content_type"] == "text/markdown" and data["type_matches"] is True
    assert data["status"] == "processed" and data["indexed"] is True and data["index"]["chunks"] >= 1
    assert data["duplicate"] is False and data["download_url"] == f"/v1/files/{data['file_id']}/content"
    shown = user.get(f"/v1/files/{data['file_id']}").data
    assert shown == {name: value for name, value in data.items() if name != "duplicate"}


def test_what_was_uploaded_is_found_and_cited(user):
    data = user.upload(WHALES, "whales.md", "text/markdown")
    answer = user.query("Which is the largest animal?").data
    assert "The blue whale is the largest animal that has ever lived. [1]" in answer["answer"]
    source = answer["sources"][0]
    assert source["file_id"] == data["file_id"] and source["title"] == "Whales"
    assert source["excerpt"] in WHALES and 0 < source["relevance_score"] <= 1
    assert WHALES.encode()[source["position"]["start"]:source["position"]["end"]].decode().strip()
    assert 0 < answer["confidence"] <= 1 and answer["confidence_explanation"]


def test_the_guides_curl_lines_work_as_pasted(gateway, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    (tmp_path / "document.md").write_text("# Tides\n\nThe moon causes the tides of the sea.\n")
    token, base = make_token("curl"), f"http://127.0.0.1:{gateway.port}"

    def curl(*arguments):
        line = ["curl", "-sS", "--fail-with-body", "-H", f"Authorization: Bearer {token}", *arguments]
        return json.loads(subprocess.run(line, check=True, capture_output=True, cwd=tmp_path, timeout=30).stdout)

    assert curl("-X", "POST", f"{base}/v1/upload", "-F", "file=@document.md")["success"] is True
    answer = curl("-X", "POST", f"{base}/v1/query", "-H", "Content-Type: application/json", "-d",
                  '{"query": "What causes the tides?"}')
    assert "The moon causes the tides" in answer["data"]["answer"]
    assert curl(f"{base}/health")["status"] == "healthy"


@pytest.mark.parametrize("name,kind,data,question,words", [
    ("a.txt", "text/plain", "Oak trees live for centuries.\n", "How long do oak trees live?", "centuries"),
    ("a.html", "text/html", "<html><title>T</title><script>var hidden=1</script><p>Copper conducts &amp; bends.</p>",
     "What conducts?", "Copper conducts & bends."),
    ("a.json", "application/json", '{"planet":{"name":"Saturn","rings":"ice and rock"}}', "Saturn rings", "ice and rock"),
    ("a.csv", "text/csv", "river,length\nNile,6650 km\nAmazon,6400 km\n", "Nile length", "6650")])
def test_text_of_many_kinds_is_found(user, name, kind, data, question, words):
    stored = user.upload(data, name, kind)
    assert stored["indexed"] is True and stored["content_type"] == kind
    answer = user.query(question).data
    assert words in answer["answer"] and answer["confidence"] > 0
    assert "hidden" not in answer["answer"]


def test_a_pdf_is_indexed_or_says_why_not(user):
    stored = user.upload(b"%PDF-1.4\nnot really one", "a.pdf", "application/pdf")
    assert stored["content_type"] == "application/pdf"
    assert stored["indexed"] is False and stored["index"]["reason"]
    whole = user.upload(WATERWHEEL.read_bytes(), "wheel.pdf", "application/pdf")
    assert whole["indexed"] is bool(shutil.which("pdftotext"))
    sources = user.query("What are the bearings greased with?").data["sources"]
    assert [source["file_id"] for source in sources] == [whole["file_id"]] * whole["indexed"]


def test_the_bytes_count_and_not_what_was_claimed(user):
    stored = user.upload(b"\x89PNG\r\n\x1a\n" + bytes(50), "a.txt", "text/plain")
    assert stored["content_type"] == "image/png" and stored["claimed_type"] == "text/plain"
    assert stored["type_matches"] is False and stored["indexed"] is False
    answer = user.send(file_form(b"\x7fELF\x02\x01\x01" + bytes(100), "a.txt", "text/plain"))
    assert answer.status == 422 and answer.json()["details"][0]["field"] == "file"


@pytest.mark.parametrize("sent,kept", [
    ("../../etc/passwd", "passwd"), ("C:\\\\temp\\\\a.txt", "a.txt"), ("é ü.txt", "é ü.txt")])
def test_a_filename_is_a_name_and_no_path(user, sent, kept):
    assert user.upload("text", sent)["filename"] == kept


def test_a_duplicate_is_stored_once(gateway, user):
    first = user.upload("the same bytes twice")
    count = len(stored_files(gateway))
    second = user.upload("the same bytes twice", "other.txt")
    assert second["duplicate"] is True and second["sha256"] == first["sha256"]
    User(gateway, "another").upload("the same bytes twice")
    assert len(stored_files(gateway)) == count


def test_files_come_in_pages_the_newest_first(user):
    ids = [user.upload(f"page {n}", f"{n}.txt")["file_id"] for n in range(5)]
    pages = [user.files(f"?limit=2&offset={offset}") for offset in (0, 2, 4)]
    assert [file["file_id"] for page in pages for file in page["files"]] == ids[::-1]
    assert {page["total_count"] for page in pages} == {5}
    assert user.files("?offset=5")["files"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "offset=-1", "status=lost", "unknown=1", "limit=1&limit=2"])
def test_a_bad_page_is_a_validation_error(user, query):
    answer = user.get(f"/v1/files?{query}")
    assert answer.status == 422 and answer.json()["details"]


@pytest.fixture
def digits(user):
    user.file = user.upload("0123456789" * 10, "digits.txt")
    user.path = user.file["download_url"]
    return user


def test_content_comes_back_as_it_was_sent(digits):
    answer = digits.get(digits.path)
    assert answer.body == b"0123456789" * 10 and answer.get("Accept-Ranges") == "bytes"
    assert answer.get("ETag") == f'"{digits.file["sha256"]}"'
    assert 'filename="digits.txt"' in answer.get("Content-Disposition")
    assert answer.get("Content-Disposition").startswith("attachment")
    head = digits.gateway.client().request("HEAD", digits.path, digits.fields)
    assert head.get("Content-Length") == "100"


@pytest.mark.parametrize("sent,shown,body", [
    ("bytes=0-9", "bytes 0-9/100", b"0123456789"), ("bytes=95-", "bytes 95-99/100", b"56789"),
    ("bytes=-3", "bytes 97-99/100", b"789"), ("bytes=99-99", "bytes 99-99/100", b"9"),
    ("bytes=90-1000", "bytes 90-99/100", b"0123456789"), ("bytes=-1000", "bytes 0-99/100", b"0123456789" * 10)])
def test_a_range_is_206(digits, sent, shown, body):
    answer = digits.get(digits.path, Range=sent)
    assert (answer.status, answer.get("Content-Range"), answer.body) == (206, shown, body)


@pytest.mark.parametrize("sent", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_range_outside_of_the_file_is_416(digits, sent):
    answer = digits.get(digits.path, Range=sent)
    assert (answer.status, answer.get("Content-Range")) == (416, "bytes */100")


@pytest.mark.parametrize("sent", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes 1-2", "bytes=0-1,5-6"])
def test_a_range_that_is_not_understood_is_ignored(digits, sent):
    answer = digits.get(digits.path, Range=sent)
    assert (answer.status, len(answer.body)) == (200, 100)


def test_conditions_are_kept(digits):
    tag = f'"{digits.file["sha256"]}"'
    for value in [tag, f"W/{tag}", "*", f'"x", {tag}']:
        answer = digits.get(digits.path, If_None_Match=value)
        assert answer.status == 304 and answer.get("ETag") == tag
    assert digits.get(digits.path, If_None_Match='"x"').status == 200
    assert digits.get(digits.path, Range="bytes=0-1", If_Range=tag).status == 206
    assert digits.get(digits.path, Range="bytes=0-1", If_Range='"x"').status == 200


def test_what_is_deleted_is_gone(gateway, user):
    data = user.upload("A pelican lives here until it is deleted.")
    assert user.query("pelican").data["confidence"] > 0
    path = f"/v1/files/{data['file_id']}"
    assert user.delete(path).data["deleted"] is True
    for answer in [user.get(path), user.get(path + "/content"), user.delete(path)]:
        assert (answer.status, answer.code) == (404, "RESOURCE_NOT_FOUND")
    assert user.query("pelican").data["confidence"] == 0
    assert data["sha256"] not in " ".join(stored_files(gateway))


def test_content_that_others_have_too_outlives_a_delete(gateway, user):
    other = User(gateway, "keeper")
    mine, theirs = user.upload("shared content"), other.upload("shared content")
    assert user.delete(f"/v1/files/{mine['file_id']}").status == 200
    assert other.get(theirs["download_url"]).body == b"shared content"


def test_users_see_only_their_own(gateway, user):
    stranger, admin = User(gateway, "stranger"), User(gateway, "root", "read,write,admin")
    data = user.upload("The secret word is xylophone.")
    path = f"/v1/files/{data['file_id']}"
    for answer in [stranger.get(path), stranger.get(path + "/content"), stranger.delete(path)]:
        assert (answer.status, answer.code) == (404, "RESOURCE_NOT_FOUND")
    assert stranger.files()["total_count"] == 0
    answer = stranger.query("xylophone").data
    assert answer["confidence"] == 0 and answer["sources"] == []
    assert admin.get(path).data["user_id"] == user.get(path).data["user_id"]
    assert data["file_id"] in [file["file_id"] for file in admin.files("?limit=100")["files"]]
    assert admin.delete(path).status == 200


@pytest.mark.parametrize("mode", ["fast", "balanced", "comprehensive", "creative", "analytical"])
def test_every_mode_answers_from_the_documents(user, mode):
    user.upload(WHALES, "whales.md", "text/markdown")
    data = user.query("What does the whale eat?", mode=mode).data
    assert data["mode"] == mode and "krill" in data["answer"] and data["confidence"] > 0


def test_nothing_found_says_so_with_confidence_0(user):
    for _ in range(2):
        data = user.query("What is the airspeed of an unladen swallow?").data
        assert data["confidence"] == 0 and data["sources"] == [] and "Nothing" in data["answer"]
        user.upload(WHALES, "whales.md", "text/markdown")


@pytest.mark.parametrize("change,status", [
    ({"query": "x" * 5000}, 200), ({"query": "x" * 5001}, 422), ({"query": ""}, 422), ({"max_results": 1}, 200),
    ({"max_results": 50}, 200), ({"max_results": 0}, 422), ({"max_results": 51}, 422), ({"max_results": "5"}, 422),
    ({"mode": "quick"}, 422), ({"include_sources": "yes"}, 422), ({"filters": {"tags": "a"}}, 422),
    ({"query": '"unclosed AND ( NEAR * ^ col:'}, 200), ({"query": "é '' \" ; DROP TABLE"}, 200)])
def test_the_bounds_of_a_question(user, change, status):
    assert user.query(**{"query": "whale", **change}).status == status


def test_sources_are_left_out_on_demand_and_bounded(user):
    for number in range(5):
        user.upload(f"Penguin number {number} swims well.", f"{number}.txt")
    assert len(user.query("penguin", max_results=2).data["sources"]) <= 2
    without = user.query("penguin", include_sources=False).data
    assert without["sources"] == [] and "[1]" not in without["answer"]


def test_metadata_labels_a_file_and_filters_questions(user):
    marked = user.upload("Falcons dive fast.", metadata={"category": "birds", "tags": ["a", "b"], "more": 1})
    user.upload("Falcons are also cars.", "cars.txt", metadata={"category": "cars"})
    assert marked["category"] == "birds" and marked["tags"] == ["a", "b"]
    assert [file["file_id"] for file in user.files("?category=birds")["files"]] == [marked["file_id"]]
    for filters in [{"category": "birds"}, {"tags": ["b"]}, {"file_ids": [marked["file_id"]]}]:
        sources = user.query("falcons", filters=filters).data["sources"]
        assert {source["file_id"] for source in sources} == {marked["file_id"]}
    assert user.query("falcons", filters={"tags": ["a", "z"]}).data["confidence"] == 0


@pytest.mark.parametrize("metadata", ["{", "[1]", '{"category":1}', '{"tags":"a"}', '{"category":""}'])
def test_bad_metadata_is_refused_and_nothing_is_stored(user, metadata):
    answer = user.send(file_form("text", metadata=metadata))
    assert answer.status == 422 and answer.json()["details"][0]["field"].startswith("metadata")
    assert user.files()["total_count"] == 0


@pytest.mark.parametrize("body,fields,status", [
    (form(), {}, 422), (form(part("other", "x")), {}, 422), (form(part("file", "x")), {}, 422),
    (form(part("file", "x", "a.txt"), part("file", "y", "b.txt")), {}, 422),
    (b"nonsense", {}, 400), (b"", {}, 400), (file_form("x")[:-20], {}, 400),
    (b"x", {"Content-Type": "multipart/form-data"}, 400), (b"{}", {"Content-Type": "application/json"}, 415)])
def test_a_form_without_one_file_is_refused_and_nothing_is_stored(gateway, user, body, fields, status):
    answer = user.send(body, **fields)
    assert answer.status == status and answer.json()["success"] is False
    assert user.files()["total_count"] == 0
    assert eventually(lambda: not incoming(gateway))


def test_an_upload_that_is_cut_off_leaves_nothing(gateway, user):
    before = stored_files(gateway)
    body = file_form(b"b" * 2_000_000, "cut.bin", "application/octet-stream")
    for keep in [300, 200_000, len(body) - 1]:
        with gateway.client() as client:
            client.send(request_bytes(
                "POST", "/v1/upload", {**user.fields, **FORM, "Content-Length": str(len(body))}) + body[:keep])
            if keep > 1000:
                eventually(lambda: incoming(gateway))
        eventually(lambda: not incoming(gateway))
    assert stored_files(gateway) == before and user.files()["total_count"] == 0


def test_a_chunked_upload_is_taken(gateway, user):
    body = file_form("sent in chunks")
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/upload", {**user.fields, **FORM, "Transfer-Encoding": "chunked"}))
        for at in range(0, len(body), 7):
            piece = body[at:at + 7]
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send("0\r\n\r\n")
        assert client.read().data["size"] == len("sent in chunks")


def test_a_file_of_exactly_the_limit_is_taken_and_one_byte_more_is_413(start, utilities):
    gateway = start(files={
        "10-utilities.json": {"library": str(utilities), "settings": {"max_upload_bytes": 1000, "min_free_bytes": 0}}})
    user = User(gateway, "ann")
    assert user.upload(b"x" * 1000)["size"] == 1000
    answer = user.send(file_form(b"x" * 1001))
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    with gateway.client() as client:
        client.send(request_bytes("POST", "/v1/upload", {**user.fields, **FORM, "Content-Length": "1000000000"}))
        assert client.read().status == 413
    assert user.files()["total_count"] == 1
    eventually(lambda: not incoming(gateway))


def test_a_large_file_takes_constant_memory_both_ways(gateway, user):
    user.upload("warm")
    piece, count = bytes(range(256)) * 4096, 300
    head = part("file", b"", "large.bin", "application/octet-stream")[:-2]
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    before = gateway.reset_peak()
    digest = hashlib.sha256()
    with gateway.client(limit=120) as client:
        length = len(head) + count * len(piece) + len(tail)
        client.send(request_bytes("POST", "/v1/upload", {**user.fields, **FORM, "Content-Length": str(length)}) + head)
        for _ in range(count):
            client.send(piece)
            digest.update(piece)
        client.send(tail)
        data = client.read().data
        assert data["size"] == count * len(piece) and data["sha256"] == digest.hexdigest()
        client.send(request_bytes("GET", data["download_url"], user.fields))
        answer = client.read(head=True)
        assert answer.get("Content-Length") == str(count * len(piece))
        digest, left = hashlib.sha256(client.buffer), count * len(piece) - len(client.buffer)
        while left:
            received = client.socket.recv(min(left, 1 << 20))
            assert received, "cut"
            digest.update(received)
            left -= len(received)
        assert digest.hexdigest() == data["sha256"]
    assert user.get(data["download_url"], Range="bytes=-4").body == b"\xfc\xfd\xfe\xff"
    assert gateway.memory() - before < 32 << 20
    assert user.delete(f"/v1/files/{data['file_id']}").status == 200


def test_what_was_acknowledged_survives_a_kill(start, utilities, tmp_path):
    first = start([utilities])
    user = User(first, "ann")
    data = user.upload("Nothing acknowledged is lost.")
    first.process.kill()
    first.wait()
    second = Gateway(first.directory, [utilities])
    try:
        again = User(second, "ann")
        assert [file["file_id"] for file in again.files()["files"]] == [data["file_id"]]
        assert again.get(data["download_url"]).body == b"Nothing acknowledged is lost."
        assert again.query("acknowledged").data["confidence"] > 0
    finally:
        assert second.stop() == 0
