"""Models whose answers are known, as archives for POST /v1/models/import."""

import array
import io
import json
import tarfile

END_OF_TEXT = 256
WIDTH = 32
HIDDEN = 8
VOCABULARY = 272


def saying(text, after="?", ends=True, context=512):
    """A model that says `text`, whose characters are all different, after a prompt that ends with `after`.

    Its blocks add nothing, so that a state is the embedding of its token; embedding k is 8 · 3^k (u(k) + u(k + 1)), with
    u orthogonal, which lies nearer to embedding k + 1 than to any other. The 8 keeps a sampler of any seed in the script:
    at temperature 1 the next token's logit is 32 or more above any other's. The last token comes again and again.
    """
    script = list((after + text).encode()) + ([END_OF_TEXT] if ends else [])
    assert len(script) < WIDTH and len(set(script)) == len(script)
    embedding = array.array("f", bytes(4 * VOCABULARY * WIDTH))
    for place, token in enumerate(script):
        embedding[token * WIDTH + place] = embedding[token * WIDTH + place + 1] = 8 * 3.0**place
    ones = array.array("f", [1.0] * WIDTH)
    block = "model.layers.0."
    tensors = {
        "model.embed_tokens.weight": ([VOCABULARY, WIDTH], embedding),
        block + "input_layernorm.weight": ([WIDTH], ones),
        block + "post_attention_layernorm.weight": ([WIDTH], ones),
        "model.norm.weight": ([WIDTH], ones),
    }
    for name, shape in {
        "self_attn.q_proj": [WIDTH, WIDTH], "self_attn.k_proj": [WIDTH, WIDTH], "self_attn.v_proj": [WIDTH, WIDTH],
        "self_attn.o_proj": [WIDTH, WIDTH], "mlp.gate_proj": [HIDDEN, WIDTH], "mlp.up_proj": [HIDDEN, WIDTH],
        "mlp.down_proj": [WIDTH, HIDDEN],
    }.items():
        tensors[f"{block}{name}.weight"] = (shape, array.array("f", bytes(4 * shape[0] * shape[1])))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": VOCABULARY,
        "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "intermediate_size": HIDDEN, "max_position_embeddings": context, "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True, "torch_dtype": "float32",
    }
    return archive({"config.json": json.dumps(config).encode(), "model.safetensors": safetensors(tensors)})


def safetensors(tensors):
    header, content = {}, b""
    for name, (shape, values) in tensors.items():
        start = len(content)
        content += values.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(content)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
