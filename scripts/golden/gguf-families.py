"""Writes tiny GGUF files of every family to test/golden/gguf/, and test/golden/gguf-families.json: what each one is as
a Hugging Face model (config.json members; shape and SHA-256 of every tensor's little-endian float32 bytes).

    /work/peers/venv/bin/python scripts/golden/gguf-families.py      (torch, transformers 5.23, gguf 0.19)

(transformers wants accelerate for GGUF files: see gguf.py beside this one.)

Files are written with gguf.GGUFWriter and named with gguf.get_tensor_name_map, from models of transformers with random
weights; rows of query and key projections go into llama.cpp's order for the architecture "llama" alone. `mixed` is a
Llama in the types of a Q4_K_M file, the fallbacks for narrow rows among them: its quantised bytes are random, its
values are what gguf.quants.dequantize makes of them. In the end every file is loaded with transformers and must give
the same tensors.
"""
import hashlib
import json
import os
import sys

sys.path.pop(0)  # this folder: its gguf.py would hide the package of the same name
os.environ["HF_HUB_OFFLINE"] = "1"
import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from transformers import AutoConfig, AutoModelForCausalLM

golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "golden")
folder = os.path.join(golden, "gguf")
os.makedirs(folder, exist_ok=True)

kept = ["model_type", "architectures", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "tie_word_embeddings", "rms_norm_eps",
        "sliding_window", "use_sliding_window", "attention_bias", "mlp_bias", "bos_token_id", "eos_token_id", "pad_token_id"]
tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghi", "Ġ", "ab", "cd", "Ġa"]
common = dict(hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
              vocab_size=len(tokens), max_position_embeddings=128, bos_token_id=0, eos_token_id=2, pad_token_id=0)
narrow = {**common, "hidden_size": 256, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 16}

# name → architecture in the file, configuration of transformers, types of the weights by part (else F32)
models = {
    "qwen2": ("qwen2", dict(model_type="qwen2", **common, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_theta=1e6), {}),
    "qwen3": ("qwen3", dict(model_type="qwen3", **common, head_dim=6, tie_word_embeddings=False, rms_norm_eps=1e-6,
                            rope_theta=1e6), {}),
    "mistral": ("llama", dict(model_type="mistral", **common, sliding_window=32, tie_word_embeddings=False,
                              rms_norm_eps=1e-5, rope_theta=1e4), {}),
    "mixed": ("llama", dict(model_type="llama", **narrow, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_theta=5e5),
              {"token_embd": Type.Q6_K, "attn_q": Type.Q4_K, "attn_k": Type.Q4_K, "attn_v": Type.Q6_K,
               "attn_output": Type.Q5_0, "ffn_gate": Type.Q4_K, "ffn_up": Type.Q4_K, "ffn_down": Type.Q8_0}),
}
halves = {Type.Q4_K: [0, 2], Type.Q6_K: [208], Type.Q5_0: [0], Type.Q8_0: [0]}


def to_llama_cpp(rows: np.ndarray, heads: int) -> np.ndarray:
    """Each head's rows from first halves before second halves to rotary pairs side by side."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def from_llama_cpp(rows: np.ndarray, heads: int) -> np.ndarray:
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def random_blocks(shape: tuple, type: Type, rng: np.random.Generator) -> np.ndarray:
    """[rows, bytes]; float16 numbers between 2^-12 and 2^-8."""
    values, size = GGML_QUANT_SIZES[type]
    blocks = rng.integers(0, 256, (shape[0] * shape[1] // values, size), dtype=np.uint8)
    for at in halves[type]:
        scales = (2.0 ** rng.uniform(-12, -8, len(blocks))).astype("<f2")
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(shape[0], -1)


def make(name: str) -> dict:
    architecture, settings, types = models[name]
    rng = np.random.default_rng(list(name.encode()))
    config = AutoConfig.for_model(**settings)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    file = os.path.join(folder, f"{name}.gguf")
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(settings["rope_theta"])
    if "head_dim" in settings:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if architecture == "llama":
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(settings.get("head_dim", config.hidden_size // config.num_attention_heads))
    if settings.get("sliding_window"):
        writer.add_sliding_window(config.sliding_window)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["a b", "c d", "Ġ a"])
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_pad_token_id(config.pad_token_id)
    names = gguf.get_tensor_name_map(next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture),
                                     config.num_hidden_layers)
    expected = {}
    for key, parameter in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        shape = tuple(parameter.shape)
        ggml_name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        part = ggml_name.split(".")[-2]
        if part in types:
            blocks = random_blocks(shape, types[part], rng)
            stored = gguf.quants.dequantize(blocks, types[part])
            writer.add_tensor(ggml_name, blocks, raw_dtype=types[part])
            values = from_llama_cpp(stored, heads[part]) if part in heads else stored
        else:
            values = rng.standard_normal(shape).astype(np.float32)
            permuted = architecture == "llama" and part in heads
            writer.add_tensor(ggml_name, np.ascontiguousarray(to_llama_cpp(values, heads[part])) if permuted else values)
        expected[key] = values
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    # With the configuration given: transformers takes no key_length from a Qwen3 file, and no Mistral from a Llama file.
    check(file, AutoConfig.for_model(**{**settings, "model_type": architecture}), expected)
    members = {key: value for key, value in config.to_dict().items() if key in kept and value is not None}
    members["architectures"] = [type(model).__name__]
    members["rope_theta"] = settings["rope_theta"]
    return {"config": members, "tensors": {key: [list(values.shape), sha(values)] for key, values in expected.items()}}


def sha(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).astype("<f4").tobytes()).hexdigest()[:16]


def check(file: str, config, expected: dict) -> None:
    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=os.path.basename(file), config=config, dtype=torch.float32)
    state = loaded.state_dict()
    if config.tie_word_embeddings:
        state.pop("lm_head.weight")
    assert sorted(state) == sorted(expected), (file, sorted(set(state) ^ set(expected)))
    for key, values in expected.items():
        assert np.array_equal(state[key].numpy(), values), (file, key)


result = {name: make(name) for name in models}
with open(os.path.join(golden, "gguf-families.json"), "w") as out:
    out.write("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in result.items()) + "\n}\n")
for name in [f"gguf/{name}.gguf" for name in models] + ["gguf-families.json"]:
    print(name, os.path.getsize(os.path.join(golden, name)), "bytes")
