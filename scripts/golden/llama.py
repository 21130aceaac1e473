"""Golden logits of tiny random Llama models, by Hugging Face transformers in fp32.

  python scripts/golden/llama.py test/golden      (needs torch, transformers, tokenizers, safetensors)

Writes for each case a model folder (config, weights, a byte-level tokenizer with a ChatML template) and
logits.json: token ids and the logits of every position; losses and gradient norms for one labelled sequence;
and 20 steps of AdamW on fixed packs (training.json), the reference of the training tests.
"""
import json, os, shutil, sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, AddedToken
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

CASES = {
    # grouped queries, tied head, plain rotary
    "llama-tied": dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, rope_theta=10000.0),
    # untied head, Llama 3.1 rotary scaling, head width of its own
    "llama3-untied": dict(
        num_attention_heads=4, num_key_value_heads=4, head_dim=16, tie_word_embeddings=False, rope_theta=500000.0,
        rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                          original_max_position_embeddings=64),
    ),
}


def byte_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocab = {token: i for i, token in enumerate(special + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>",
                                   pad_token="<|endoftext|>")
    fast.chat_template = CHATML
    return fast


def main(out):
    tokenizer = byte_tokenizer()
    for name, extra in CASES.items():
        torch.manual_seed(7)
        folder = os.path.join(out, name)
        shutil.rmtree(folder, ignore_errors=True)
        config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                             max_position_embeddings=2048, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
                             pad_token_id=0, **extra)
        model = LlamaForCausalLM(config).float().eval()
        with torch.no_grad():
            for p in model.parameters():  # wide enough that every part matters
                p.normal_(0, 0.15) if p.dim() > 1 else p.normal_(1, 0.1)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        ids = torch.randint(3, len(tokenizer), (40,))
        logits = model(ids[None]).logits[0]
        json.dump({"ids": ids.tolist(), "logits": [[round(v, 6) for v in row] for row in logits.tolist()]},
                  open(os.path.join(folder, "logits.json"), "w"))
        json.dump(train(model, len(tokenizer)), open(os.path.join(folder, "training.json"), "w"))
        print(folder, os.path.getsize(os.path.join(folder, "model.safetensors")), "bytes")


def train(model, vocab):
    """AdamW, 20 steps; each step two documents, unpadded, loss averaged over both documents' label tokens."""
    torch.manual_seed(11)
    settings = dict(learningRate=1e-2, beta1=0.9, beta2=0.95, epsilon=1e-8, weightDecay=0.1, maxGradNorm=1.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["learningRate"], betas=(0.9, 0.95), eps=1e-8,
                                  weight_decay=settings["weightDecay"])
    steps = []
    for _ in range(20):
        documents = []
        for length in torch.randint(5, 30, (2,)).tolist():
            ids = torch.randint(3, vocab, (length,))
            answer_from = int(torch.randint(1, length - 1, ()).item())
            documents.append({"ids": ids.tolist(), "answerFrom": answer_from})
        labels = sum(len(d["ids"]) - d["answerFrom"] for d in documents)
        total = 0.0
        for d in documents:
            ids = torch.tensor(d["ids"])
            logits = model(ids[None]).logits[0, d["answerFrom"] - 1:-1]
            total = total + torch.nn.functional.cross_entropy(logits, ids[d["answerFrom"]:], reduction="sum")
        loss = total / labels
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["maxGradNorm"])
        optimizer.step()
        steps.append({"documents": documents, "loss": loss.item(), "gradNorm": norm.item()})
    return {"settings": settings, "steps": steps}


main(sys.argv[1])
