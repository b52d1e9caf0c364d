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


def own_figures(user, name, shape):
    """Trains and talks through the real routes; gives tokens a second of both, and the vocabulary."""
    task = user.begin("cognate", STEPS[name], BATCH, **shape, count=1, vocabulary=1024, name=f"bench-{name}")
    run = user.completed(task, 1800)
    (model,) = run["models"]
    train = max(point["tokens_per_second"] for point in run["loss_curve"])
    said = [user.chat(model, "Tell me a story.", max_tokens=shape["context"] - 24, seed=1) for _ in range(8)]
    vocabulary = user.model(model)["config"]["vocab_size"]
    return train, max(answer["metadata"]["tokens_per_second"] for answer in said), vocabulary


def main():
    from conftest import BINARY, Gateway
    from trainers import Trainer

    directory = Path(tempfile.mkdtemp(prefix="gateway-forge-"))
    library = BINARY.parent / "libagent_forge.so"
    gateway = Gateway(directory, files={"20-agent-forge.json": {"library": str(library)}})
    threads = os.cpu_count()
    try:
        user = Trainer(gateway, "bench")
        for name, shape in SHAPES.items():
            best, other, reason = [0, 0], None, None
            for _ in range(ROUNDS):
                *figures, vocabulary = own_figures(user, name, shape)
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
