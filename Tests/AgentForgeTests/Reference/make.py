"""Writes reference.json: losses, gradients and AdamW steps of a small model, as PyTorch computes them.

Run with a Python that has torch: python make.py > reference.json
"""

import json
import math

import torch

from llama import Llama

SIZES = dict(vocabulary=300, width=16, layers=2, heads=2, hidden=24, context=12)
ROWS, LENGTH, STEPS = 2, 12, 4


def value(name, index):
    """Parameters are a formula, so that no file of weights is needed."""
    wave = math.sin(0.37 * index + 0.1)
    return 1 + 0.1 * wave if name.endswith("norm.weight") else 0.2 * wave


model = Llama(**SIZES)
offset = 0
for name, shape in model.shapes.items():
    count = math.prod(shape)
    numbers = [value(name, offset + i) for i in range(count)]
    model.weights[name] = torch.tensor(numbers, dtype=torch.float32).view(shape).requires_grad_()
    offset += count

tokens = torch.tensor([[(7 * i * i + 31 * r + 5 * i) % 300 for i in range(LENGTH + 1)] for r in range(ROWS)])
inputs, targets = tokens[:, :-1], tokens[:, 1:].clone()
targets[0, 3] = -1

matrices = [w for n, w in model.weights.items() if not n.endswith("norm.weight")]
vectors = [w for n, w in model.weights.items() if n.endswith("norm.weight")]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
    lr=1e-2, betas=(0.9, 0.95), eps=1e-8,
)
losses, norms, first = [], [], {}
for step in range(STEPS):
    optimizer.zero_grad()
    logits = model.forward(inputs)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
    loss.backward()
    if step == 0:
        first = {
            name: {"norm": w.grad.norm().item(), "some": w.grad.flatten()[:: max(1, w.numel() // 5)][:5].tolist()}
            for name, w in model.weights.items()
        }
        first_logits = logits[1, -1, :8].tolist()
    norms.append(torch.nn.utils.clip_grad_norm_(model.weights.values(), 1.0).item())
    losses.append(loss.item())
    optimizer.step()

print(json.dumps({
    "torch": torch.__version__, "losses": losses, "norms": norms, "gradients": first, "logits": first_logits,
    "weights": {n: w.detach().flatten()[:3].tolist() for n, w in model.weights.items()},
}, indent=1))
