"""Agent Forge: tokens a second of training and of single-stream generation, beside PyTorch where it is installed.

PyTorch is looked for in FORGE_PYTHON, then in python3. Both sides train the same transformer on batches of the same
size, with as many threads, in float32, forward, backward, clipping and AdamW; both generate one token at a time with a
cache. Rounds of both take turns, and the best of each counts: other work on the machine slows, it never speeds up.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

SHAPES = {
    "small": dict(width=128, layers=4, heads=4, hidden=344, context=128),
    "medium": dict(width=256, layers=6, heads=8, hidden=688, context=256),
}
BATCH = 8
STEPS = {"small": 200, "medium": 40}
ROUNDS = 2


def torch_figures(shape, vocabulary, threads):
    """What PyTorch does with the same shape; None, and the reason, where it is not installed."""
    python = os.environ.get("FORGE_PYTHON") or shutil.which("python3") or sys.executable
    sizes = {**shape, "vocabulary": vocabulary, "batch": BATCH, "threads": threads}
    arguments = [str(part) for name, value in sizes.items() for part in (f"--{name}", value)]
    script = ROOT / "Tests/Bench/forge_torch.py"
    ran = subprocess.run([python, script, *arguments], capture_output=True, text=True)
    if ran.returncode != 0:
        return None, (ran.stderr.strip().splitlines() or ["no output"])[-1]
    return json.loads(ran.stdout), None


def own_figures(gateway, name, shape, bearer):
    """Trains and talks through the real routes; gives tokens a second of both, and the vocabulary."""
    from conftest import eventually

    body = {
        "phase_name": "cognate", "real_training": True, "max_steps": STEPS[name], "batch_size": BATCH,
        "parameters": {**shape, "count": 1, "vocabulary": 1024, "name": f"bench-{name}"},
    }
    task = gateway.post("/v1/models/train", body, bearer).json()["data"]["task_id"]

    def ended():
        run = gateway.get(f"/v1/models/train/{task}", bearer).json()["data"]
        assert run["status"] not in ("failed", "cancelled"), run
        return run if run["status"] == "completed" else None

    run = eventually(ended, 1800, "the end of the training")
    model = run["models"][0]
    train = max(point["tokens_per_second"] for point in run["curve"])
    ask = {
        "model_id": model, "message": "Tell me a story.",
        "parameters": {"temperature": 0, "max_tokens": shape["context"] - 24, "seed": 1},
    }
    said = [gateway.post("/v1/chat", ask, bearer).json()["data"] for _ in range(8)]
    vocabulary = gateway.get(f"/v1/models/{model}", bearer).json()["data"]["config"]["vocab_size"]
    return train, max(answer["metadata"]["tokens_per_second"] for answer in said), vocabulary


def main():
    from conftest import BINARY, Gateway

    directory = Path(tempfile.mkdtemp(prefix="gateway-forge-"))
    library = BINARY.parent / "libagent_forge.so"
    gateway = Gateway(directory, files={"20-agent-forge.json": {"library": str(library)}})
    threads = os.cpu_count()
    try:
        bearer = {"Authorization": f"Bearer {gateway.token()}"}
        for name, shape in SHAPES.items():
            best, other, reason = [0, 0], None, None
            for _ in range(ROUNDS):
                *figures, vocabulary = own_figures(gateway, name, shape, bearer)
                best = [max(pair) for pair in zip(best, figures)]
                found, reason = torch_figures(shape, vocabulary, threads)
                if found:
                    pair = (found["train_tokens_per_second"], found["generate_tokens_per_second"])
                    other = [max(one, two) for one, two in zip(pair, other or (0, 0))]
            print(f"forge {name} {shape}, vocabulary {vocabulary}, batch {BATCH}, {threads} threads")
            for index, what in enumerate(("training", "generation")):
                line = f"  {what}: {best[index]:,.0f} tokens/s"
                if other:
                    line += f"; PyTorch {other[index]:,.0f}; {best[index] / other[index]:.2f} x"
                print(line)
            if not other:
                print(f"  PyTorch is not there to compare with: {reason}")
    finally:
        gateway.stop()
        shutil.rmtree(directory, ignore_errors=True)


main()
