"""Trains and generates with the same transformer in PyTorch, for Tests/Bench/forge.py to compare with.

Prints one JSON line: tokens a second of training (forward, backward, clipping, AdamW) and of single-stream generation
with a cache of keys and values. Both are the best of several short rounds, as is what they are compared with.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "AgentForgeTests/Reference"))
from llama import Llama  # noqa: E402


def rounds(work, count, seconds):
    """Tokens a second of the best of `count` rounds of at least `seconds`; `work` gives the tokens it did."""
    work()
    best = 0.0
    for _ in range(count):
        start, tokens = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < seconds:
            tokens += work()
        best = max(best, tokens / spent)
    return best


def main():
    options = argparse.ArgumentParser()
    for name in ("vocabulary", "width", "layers", "heads", "hidden", "context", "batch", "threads"):
        options.add_argument(f"--{name}", type=int, required=True)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    model = Llama(given.vocabulary, given.width, given.layers, given.heads, given.hidden, given.context)
    for name, shape in model.shapes.items():
        numbers = torch.ones(shape) if name.endswith("norm.weight") else torch.randn(shape) * 0.02
        model.weights[name] = numbers.requires_grad_()
    matrices = [w for w in model.weights.values() if w.dim() == 2]
    vectors = [w for w in model.weights.values() if w.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-4, betas=(0.9, 0.95),
    )
    data = torch.randint(given.vocabulary, (64, given.batch, given.context + 1))
    turn = 0

    def train():
        nonlocal turn
        rows = data[turn % 64]
        turn += 1
        optimizer.zero_grad()
        logits = model.forward(rows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.weights.values(), 1.0)
        optimizer.step()
        assert math.isfinite(loss.item())
        return given.batch * given.context

    @torch.inference_mode()
    def generate():
        cache = [None] * given.layers
        token = torch.tensor([[1]])
        count = given.context - 1
        for _ in range(count):
            token = model.forward(token, cache)[:, -1].argmax(-1, keepdim=True)
        return count

    print(json.dumps({
        "torch": torch.__version__,
        "train_tokens_per_second": rounds(train, 5, 2.0),
        "generate_tokens_per_second": rounds(generate, 5, 1.0),
    }))


main()
