"""A caller who trains models and talks with them."""

import io
import json
import tarfile

from conftest import eventually
from uploads import User

TINY = {"count": 1, "size": "tiny", "vocabulary": 272}
# The longest that a tiny run may take on a machine that is busy with other things.
ENDS = 180


class Trainer(User):
    """A user who trains."""

    def post(self, path, body=None):
        return self.gateway.post(path, json.dumps(body or {}), self.fields)

    def ask(self, phase, steps=20, batch=2, **parameters):
        """The answer to a wish for a run."""
        body = {"phase_name": phase, "max_steps": steps, "batch_size": batch, "parameters": parameters}
        return self.post("/v1/models/train", body)

    def begin(self, phase, steps=20, batch=2, **parameters):
        answer = self.ask(phase, steps, batch, **parameters)
        assert answer.status == 200, answer
        return answer.data["task_id"]

    def train(self, steps=20, **parameters):
        return self.begin("cognate", steps, **{**TINY, **parameters})

    def run(self, task):
        return self.get(f"/v1/models/train/{task}").data

    def ended(self, task, limit=ENDS):
        return eventually(lambda: (r := self.run(task))["finished_at"] and r, limit, "the end of the run")

    def completed(self, task, limit=ENDS):
        run = self.ended(task, limit)
        assert run["status"] == "completed", (run["error"], self.lines(task))
        return run

    def reached(self, task, step, limit=60):
        return eventually(lambda: (r := self.run(task))["step"] >= step and r, limit, f"step {step}")

    def lines(self, task):
        """The run's log."""
        return [line["line"] for line in self.get(f"/v1/models/train/{task}/logs?limit=1000").data["logs"]]

    def model(self, name):
        return self.get(f"/v1/models/{name}").data

    def chat(self, model, message="Hello?", **parameters):
        """What the model answers, at temperature 0 unless told otherwise."""
        parameters = {"temperature": 0, "max_tokens": 24, **parameters}
        answer = self.post("/v1/chat", {"model_id": model, "message": message, "parameters": parameters})
        assert answer.status == 200, answer
        return answer.data

    def file(self, model, name="model.safetensors"):
        answer = self.get(f"/v1/models/{model}/files/{name}")
        assert answer.status == 200, answer
        return answer.content

    def export(self, model):
        answer = self.get(f"/v1/models/{model}/export")
        assert answer.status == 200, answer
        return answer.content

    def bring(self, archive):
        """The answer to an import."""
        return self.gateway.post("/v1/models/import", archive, {**self.fields, "Content-Type": "application/x-tar"})

    def brought(self, archive):
        answer = self.bring(archive)
        assert answer.status == 201, answer
        return answer.data["model_id"]


def unpack(archive):
    """Names and contents of a tar archive's files."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar.getmembers()}
