"""Golden files for dropout before adapters: python -P scripts/golden/lora-dropout.py test/golden   (after lora.py; needs what it needs)

The training of lora.py's training.json once more, with PEFT's model and a dropout of 0.25 in each adapter whose masks are
not drawn but worked out by the rule of native/kernels/table.h: dropout.json with loss and gradient norm of each step. A
document is a pack; the key is ["lora dropout", seed, step from 1, pack from 0, layer]."""
import hashlib
import json
import os
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

RATE, SEED, MASK = 0.25, 3, 0xFFFFFFFF


def first_bits(key):
    """The first two numbers of src/base/rng.ts: sfc32 seeded by SHA-256 of the key."""
    digest = hashlib.sha256(json.dumps(key, separators=(",", ":")).encode()).digest()
    a, b, c = (int.from_bytes(digest[at:at + 4], "little") for at in (0, 4, 8))
    found = []
    for counter in (1, 2):
        total = (a + b + counter) & MASK
        a = b ^ (b >> 9)
        b = (c + (c << 3)) & MASK
        c = (((c << 21) | (c >> 11)) + total) & MASK
        found.append(total)
    return found


def mixed(bits):
    bits = (bits ^ (bits >> 16)) * 0x7FEB352D & MASK
    return (bits ^ (bits >> 15)) * 0x846CA68B & MASK


def seen(rows, width, row_key, column_key):
    limit = round(RATE * 2**32) - 2**31
    columns = [mixed(c ^ column_key) for c in range(width)]
    signed = lambda bits: bits - 2**32 if bits >= 2**31 else bits
    return torch.tensor([[float(signed(mixed(mixed(r ^ row_key) ^ c)) >= limit) for c in columns] for r in range(rows)])


class Keyed(torch.nn.Module):
    """In the place of torch.nn.Dropout."""

    def __init__(self, layer, place):
        super().__init__()
        self.layer, self.place = layer, place

    def forward(self, x):
        row_key, column_key = first_bits(["lora dropout", SEED, self.place["step"], self.place["pack"], self.layer])
        return x * seen(x.shape[-2], x.shape[-1], row_key, column_key) / (1 - RATE)


def main(golden):
    for name in ("llama-tied", "qwen2"):
        folder = os.path.join(golden, f"lora-{name}")
        base = AutoModelForCausalLM.from_pretrained(os.path.join(golden, name), dtype=torch.float32, attn_implementation="eager")
        model = PeftModel.from_pretrained(base, folder, is_trainable=True)
        place = {}
        for path, module in model.named_modules():
            if hasattr(module, "lora_dropout"):
                module.lora_dropout["default"] = Keyed(path.removeprefix("base_model.model."), place)
        training = json.load(open(os.path.join(folder, "training.json")))
        settings = training["settings"]
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=settings["learningRate"], betas=(settings["beta1"], settings["beta2"]),
                                      eps=settings["epsilon"], weight_decay=settings["weightDecay"])
        steps = []
        for number, step in enumerate(training["steps"], 1):
            labels = sum(len(d["ids"]) - d["answerFrom"] for d in step["documents"])
            total = 0.0
            for pack, d in enumerate(step["documents"]):
                place.update(step=number, pack=pack)
                ids = torch.tensor(d["ids"])
                logits = model(ids[None]).logits[0, d["answerFrom"] - 1:-1]
                total = total + torch.nn.functional.cross_entropy(logits, ids[d["answerFrom"]:], reduction="sum")
            loss = total / labels
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(parameters, settings["maxGradNorm"])
            optimizer.step()
            steps.append({"loss": loss.item(), "gradNorm": norm.item()})
        json.dump({"rate": RATE, "seed": SEED, "steps": steps}, open(os.path.join(folder, "dropout.json"), "w"))


main(sys.argv[1])
