"""Writes tiny GGUF files of every family to test/golden/gguf/, and test/golden/gguf-families.json: what each one is as
a Hugging Face model (config.json members; shape and SHA-256 of every tensor's little-endian float32 bytes; of those whose
rotary embeddings are scaled the logits too). Writes test/golden/gguf-rotary.json: divisors of rotary frequencies, as
rope_freqs.weight holds them, for the heads and settings of published models.

    /work/peers/venv/bin/python -P scripts/golden/gguf-families.py      (torch, transformers 5.23, gguf 0.19)

(transformers wants accelerate for GGUF files: see gguf.py beside this one.)

Files are written with gguf.GGUFWriter and named with gguf.get_tensor_name_map, from models of transformers with random
weights; rows of query and key projections go into llama.cpp's order for the architecture "llama" alone. `mixed` is a
Llama in the types of a Q4_K_M file, the fallbacks for narrow rows among them: its quantised bytes are random, its
values are what gguf.quants.dequantize makes of them. In the end every file is loaded with transformers and must give
the same tensors. Scaling is written as llama.cpp's convert_hf_to_gguf.py does: Llama 3.1's as a tensor alone, others as
metadata. That it matters is checked: without it some logit must be another by 0.05.
"""
import hashlib
import json
import os
import sys

if not sys.flags.safe_path:
    sys.path.pop(0)  # this folder: its gguf.py would hide the package of the same name
os.environ["HF_HUB_OFFLINE"] = "1"
import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "golden")
folder = os.path.join(golden, "gguf")
os.makedirs(folder, exist_ok=True)

kept = ["model_type", "architectures", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "tie_word_embeddings", "rms_norm_eps",
        "sliding_window", "use_sliding_window", "attention_bias", "mlp_bias", "bos_token_id", "eos_token_id", "pad_token_id"]
tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghi", "Ġ", "ab", "cd", "Ġa"]
common = dict(hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
              vocab_size=len(tokens), max_position_embeddings=128, bos_token_id=0, eos_token_id=2, pad_token_id=0)
wide = {**common, "hidden_size": 16, "intermediate_size": 16, "head_dim": 16}
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
    # as Llama 3.2; pairs that are kept, blended and divided by all of the factor
    "llama3": ("llama", dict(model_type="llama", **{**wide, "max_position_embeddings": 131072}, tie_word_embeddings=True,
                             rms_norm_eps=1e-5, rope_parameters=dict(
                                 rope_type="llama3", rope_theta=5e5, factor=32.0, low_freq_factor=1.0,
                                 high_freq_factor=4.0, original_max_position_embeddings=8192)), {}),
    "linear": ("llama", dict(model_type="llama", **{**wide, "max_position_embeddings": 512}, tie_word_embeddings=True,
                             rms_norm_eps=1e-5,
                             rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=4.0)), {}),
    "yarn": ("qwen3", dict(model_type="qwen3", **{**wide, "max_position_embeddings": 512},
                           tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=dict(
                               rope_type="yarn", rope_theta=1e6, factor=4.0, original_max_position_embeddings=128,
                               beta_fast=16.0, beta_slow=2.0, attention_factor=1.25)), {}),
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


def frequencies(config, kind: str) -> torch.Tensor:
    if kind != "default":
        return ROPE_INIT_FUNCTIONS[kind](config, "cpu")[0]
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)


def divisors(config) -> np.ndarray:
    return (frequencies(config, "default") / frequencies(config, "llama3")).numpy().astype(np.float32)


def add_scaling(writer: gguf.GGUFWriter, config) -> None:
    rope = config.rope_parameters
    kind = rope["rope_type"]
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", divisors(config))
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(rope["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        writer.add_rope_scaling_yarn_attn_factor(rope["attention_factor"])
        writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
        writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])


def logits(settings: dict, weights: dict, rng: np.random.Generator) -> dict:
    """Of a text long enough for slow pairs to matter, at some of its positions."""
    ids = rng.integers(0, len(tokens), 400).tolist()
    positions = [0, 1, 60, 200, 399]

    def compute(rope: dict) -> torch.Tensor:
        config = AutoConfig.for_model(**{**settings, "rope_parameters": rope})
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        missing, unexpected = model.load_state_dict({k: torch.tensor(v) for k, v in weights.items()}, strict=False)
        assert not unexpected and missing in ([], ["lm_head.weight"]), (missing, unexpected)
        with torch.no_grad():
            return model(torch.tensor([ids])).logits[0, positions]

    rope = settings["rope_parameters"]
    values = compute(dict(rope))
    unscaled = compute(dict(rope_type="default", rope_theta=rope["rope_theta"]))
    assert (values - unscaled).abs().max() > 0.05, (values - unscaled).abs().max()
    return {"ids": ids, "positions": positions, "values": [[float(f"{x:.7g}") for x in row] for row in values.tolist()]}


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
    theta = config.rope_parameters["rope_theta"]
    writer.add_rope_freq_base(theta)
    add_scaling(writer, config)
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
            # Where logits are compared, weights of a usual size.
            size = 0.5 if "rope_parameters" in settings else 1
            values = (size * rng.standard_normal(shape)).astype(np.float32)
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
    members["rope_theta"] = theta
    scaling = {key: value for key, value in settings.get("rope_parameters", {}).items() if key != "rope_theta"}
    members["rope_scaling"] = scaling or None
    return {
        "config": members,
        "tensors": {key: [list(values.shape), sha(values)] for key, values in expected.items()},
        **({"logits": logits(settings, expected, rng)} if scaling else {}),
    }


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


def published(head_dim: int, theta: float, **scaling) -> dict:
    rope = dict(rope_type="llama3", **scaling)
    config = LlamaConfig(hidden_size=4 * head_dim, num_attention_heads=4, rope_parameters=dict(rope, rope_theta=theta))
    return {"headDim": head_dim, "theta": theta, "rope_scaling": rope,
            "divisors": [float(f"{x:.9g}") for x in divisors(config)]}


llama = dict(low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
rotary = [
    published(128, 5e5, factor=8.0, **llama),  # Llama 3.1
    published(64, 5e5, factor=32.0, **llama),  # Llama 3.2 1B
    published(128, 5e5, factor=32.0, **llama),  # Llama 3.2 3B
    published(128, 1e6, factor=16.0, **llama),  # settings between them
    published(64, 5e5, factor=8.0, **{**llama, "low_freq_factor": 2.0}),  # others, which must be named
]
with open(os.path.join(golden, "gguf-rotary.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(entry) for entry in rotary) + "\n]\n")

result = {name: make(name) for name in models}
with open(os.path.join(golden, "gguf-families.json"), "w") as out:
    out.write("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in result.items()) + "\n}\n")
for name in [f"gguf/{name}.gguf" for name in models] + ["gguf-families.json", "gguf-rotary.json"]:
    print(name, os.path.getsize(os.path.join(golden, name)), "bytes")
