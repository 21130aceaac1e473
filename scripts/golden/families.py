"""Golden files of every family of models beside plain Llama (llama.py), by Hugging Face transformers in fp32.

  python -P scripts/golden/families.py test/golden     (needs torch, transformers, safetensors)

Writes for each case a tiny random model folder (weights rounded to bf16 and stored so) and reference.json: a text of 40
tokens, logits at some of its positions, and for two documents the loss and, by parameter, two numbers that pin its
gradient down: the norm and the product with cos(0.7 i). Writes rotary.json too: frequencies of rotary settings.
"""
import json, os, shutil, sys

import torch
from transformers import (
    LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, OPTConfig, OPTForCausalLM, Qwen2Config,
    Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SIZES = dict(vocab_size=72, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64,
             bos_token_id=1, eos_token_id=2, pad_token_id=None)
GATED = dict(SIZES, intermediate_size=40)

CASES = {
    # the untied head and the one key/value head per query head of Llama 1, with every bias a configuration can ask for
    "llama-biases": (LlamaForCausalLM, LlamaConfig(
        **GATED, attention_bias=True, mlp_bias=True, rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=1e4),
        tie_word_embeddings=False)),
    "mistral": (MistralForCausalLM, MistralConfig(
        **GATED, num_key_value_heads=2, sliding_window=5, rope_parameters=dict(rope_type="default", rope_theta=1e4))),
    # the first block sees everything, the others a window
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(
        **dict(GATED, num_hidden_layers=3), num_key_value_heads=2, tie_word_embeddings=True, use_sliding_window=True,
        sliding_window=7, max_window_layers=1, rope_parameters=dict(
            rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=16))),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(
        **GATED, num_key_value_heads=2, head_dim=12, tie_word_embeddings=False,
        rope_parameters=dict(rope_type="default", rope_theta=1e6))),
    "opt": (OPTForCausalLM, OPTConfig(**SIZES, ffn_dim=40, dropout=0.1)),
}

POSITIONS = [0, 1, 4, 5, 6, 7, 8, 12, 20, 31, 32, 38, 39]


def fill(model):
    """Random weights of a size that makes every part matter; norms and biases too. All of them bf16 numbers."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                parameter.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.3)
            elif "embed" in name:
                parameter.normal_(0, 0.5)
            else:
                parameter.normal_(0, 1.2 * parameter.shape[1] ** -0.5)
            parameter.copy_(parameter.bfloat16())


def gradients(model, documents):
    labels = sum(len(d["ids"]) - d["answerFrom"] for d in documents)
    total = 0.0
    for d in documents:
        ids = torch.tensor(d["ids"])
        logits = model(ids[None]).logits[0, d["answerFrom"] - 1:-1]
        total = total + torch.nn.functional.cross_entropy(logits, ids[d["answerFrom"]:], reduction="sum")
    loss = total / labels
    loss.backward()
    waves = lambda gradient: (gradient.flatten() * torch.cos(0.7 * torch.arange(gradient.numel()))).sum().item()
    by_name = {name: {"norm": short(p.grad.norm().item()), "wave": short(waves(p.grad))}
               for name, p in model.named_parameters()}
    return {"documents": documents, "loss": loss.item(), "byName": by_name}


def short(value):
    return float(f"{value:.7g}")


def rotary():
    head = dict(hidden_size=64, num_attention_heads=4, head_dim=16, max_position_embeddings=4096)
    settings = [
        dict(rope_type="linear", rope_theta=10000.0, factor=3.0),
        dict(rope_type="dynamic", rope_theta=10000.0, factor=3.0),
        dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
             original_max_position_embeddings=512),
        dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=1024),
        dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0, original_max_position_embeddings=1024, truncate=False),
        dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=512, beta_fast=16,
             beta_slow=2, attention_factor=0.75),
        dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=512, mscale=0.7,
             mscale_all_dim=0.3),
        dict(rope_type="yarn", rope_theta=10000.0, factor=2.0),
    ]
    cases = []
    for parameters in settings:
        config = LlamaConfig(**head, rope_parameters=dict(parameters))
        frequencies, magnitude = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu")
        cases.append({"config": {**head, "rope_scaling": parameters}, "magnitude": magnitude,
                      "frequencies": [short(f) for f in frequencies.tolist()]})
    return cases


def main(out):
    for name, (kind, config) in CASES.items():
        torch.manual_seed(5)
        folder = os.path.join(out, name)
        shutil.rmtree(folder, ignore_errors=True)
        model = kind(config).float().eval()
        fill(model)
        ids = torch.randint(3, config.vocab_size, (40,)).tolist()
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        reference = {
            "ids": ids,
            "positions": POSITIONS,
            "logits": [[short(value) for value in logits[at].tolist()] for at in POSITIONS],
            "training": gradients(model, [{"ids": ids, "answerFrom": 12}, {"ids": ids[7:26], "answerFrom": 3}]),
        }
        model.to(torch.bfloat16).save_pretrained(folder)
        os.remove(os.path.join(folder, "generation_config.json"))
        json.dump(reference, open(os.path.join(folder, "reference.json"), "w"))
        print(folder, sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder)), "bytes",
              f"logits up to {logits.abs().max():.1f}")
    json.dump(rotary(), open(os.path.join(out, "rotary.json"), "w"), indent=1)


main(sys.argv[1])
