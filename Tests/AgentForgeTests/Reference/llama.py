"""The transformer of Agent Forge in plain PyTorch: what its figures are compared with."""

import torch
import torch.nn.functional as F


class Llama:
    """Parameters by Hugging Face's names; `forward` gives logits."""

    def __init__(self, vocabulary, width, layers, heads, hidden, context, base=10_000.0, epsilon=1e-5):
        self.sizes = (width, heads, hidden)
        self.layers, self.epsilon = layers, epsilon
        self.shapes = {"model.embed_tokens.weight": (vocabulary, width)}
        for i in range(layers):
            prefix = f"model.layers.{i}."
            self.shapes |= {
                prefix + "input_layernorm.weight": (width,),
                prefix + "self_attn.q_proj.weight": (width, width),
                prefix + "self_attn.k_proj.weight": (width, width),
                prefix + "self_attn.v_proj.weight": (width, width),
                prefix + "self_attn.o_proj.weight": (width, width),
                prefix + "post_attention_layernorm.weight": (width,),
                prefix + "mlp.gate_proj.weight": (hidden, width),
                prefix + "mlp.up_proj.weight": (hidden, width),
                prefix + "mlp.down_proj.weight": (width, hidden),
            }
        self.shapes["model.norm.weight"] = (width,)
        half = width // heads // 2
        angles = torch.outer(
            torch.arange(context, dtype=torch.float64),
            base ** (-torch.arange(half, dtype=torch.float64) / half),
        )
        self.cosine, self.sine = angles.cos().float(), angles.sin().float()
        self.weights = {}

    def norm(self, x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * weight

    def rotate(self, x, start):
        half = x.shape[-1] // 2
        cosine, sine = self.cosine[start:start + x.shape[-2]], self.sine[start:start + x.shape[-2]]
        a, b = x[..., :half], x[..., half:]
        return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1)

    def forward(self, tokens, cache=None):
        """`tokens` [rows, length] → logits [rows, length, vocabulary]; a cache (list of None or (k, v)) is filled."""
        width, heads, _ = self.sizes
        rows, length = tokens.shape
        w = self.weights
        x = F.embedding(tokens, w["model.embed_tokens.weight"])
        for i in range(self.layers):
            p = f"model.layers.{i}."
            n = self.norm(x, w[p + "input_layernorm.weight"])
            q, k, v = (
                F.linear(n, w[p + f"self_attn.{name}_proj.weight"]).view(rows, length, heads, -1).transpose(1, 2)
                for name in "qkv"
            )
            start = 0 if cache is None or cache[i] is None else cache[i][0].shape[2]
            q, k = self.rotate(q, start), self.rotate(k, start)
            if cache is not None:
                if cache[i] is not None:
                    k, v = torch.cat((cache[i][0], k), 2), torch.cat((cache[i][1], v), 2)
                cache[i] = (k, v)
            a = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
            x = x + F.linear(a.transpose(1, 2).reshape(rows, length, width), w[p + "self_attn.o_proj.weight"])
            n = self.norm(x, w[p + "post_attention_layernorm.weight"])
            gate = F.silu(F.linear(n, w[p + "mlp.gate_proj.weight"])) * F.linear(n, w[p + "mlp.up_proj.weight"])
            x = x + F.linear(gate, w[p + "mlp.down_proj.weight"])
        x = self.norm(x, w["model.norm.weight"])
        return F.linear(x, w["model.embed_tokens.weight"])
