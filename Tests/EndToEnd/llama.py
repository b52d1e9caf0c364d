"""What PyTorch, transformers and tokenizers make of models; run by a Python that has them.

Reads jobs from the standard input, a JSON array of arrays, and prints what each gives, or {"error"}:

    ["make", FOLDER]                       a tiny Llama with random numbers is stored
    ["continue", FOLDER, TOKENS, TEXTS]    {"ids", "text"} for each: its tokens, and what greedily follows
    ["encode", FOLDER, TEXTS]              {"ids", "text"} for each: its tokens, and what they decode to
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

# The gateway never says a special token but these two, which end an answer.
ENDS = (256, 260)
SILENT = [token for token in range(256, 272) if token not in ENDS]


def make(folder):
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=272, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        intermediate_size=64, max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=256, eos_token_id=256,
        initializer_range=0.3)
    LlamaForCausalLM(config).save_pretrained(folder)


def words(folder):
    return Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))


@torch.no_grad()
def follow(model, ids, count):
    made = []
    while len(made) < count:
        scores = model(torch.tensor([ids + made])).logits[0, -1]
        scores[SILENT] = -torch.inf
        best = int(scores.argmax())
        if best in ENDS:
            break
        made.append(best)
    return made


def go_on(folder, count, texts):
    model, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    wrong = {name: sorted(map(str, keys)) for name, keys in told.items() if keys}
    assert not wrong, f"not all of the model was loaded: {wrong}"
    model, tokenizer = model.eval().float(), words(folder)
    results = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        results.append({"ids": ids, "text": tokenizer.decode(follow(model, ids, count), skip_special_tokens=True)})
    return results


def encode(folder, texts):
    tokenizer = words(folder)
    coded = [tokenizer.encode(text).ids for text in texts]
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)} for ids in coded]


def do(verb, *arguments):
    try:
        return {"make": make, "continue": go_on, "encode": encode}[verb](*arguments)
    except Exception as error:
        return {"error": str(error)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps([do(*job) for job in json.load(sys.stdin)]))
