"""Golden files for LoRA: python -P scripts/golden/lora.py test/golden   (needs torch, transformers, peft; -P: this folder has names of packages)

For llama-tied and qwen2 (made by llama.py, families.py): a PEFT directory lora-NAME with random adapters (both factors, so
that they change something), the logits with them, and 20 steps of PyTorch's AdamW on the adapters alone."""
import json
import os
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

CASES = {"llama-tied": "all-linear", "qwen2": ["q_proj", "v_proj", "down_proj"]}


def main(golden):
    for name, targets in CASES.items():
        torch.manual_seed(23)
        base = AutoModelForCausalLM.from_pretrained(os.path.join(golden, name), dtype=torch.float32, attn_implementation="eager")
        model = get_peft_model(base, LoraConfig(r=4, lora_alpha=10, target_modules=targets, task_type="CAUSAL_LM", lora_dropout=0.0))
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter, std=0.1)
        folder = os.path.join(golden, f"lora-{name}")
        model.save_pretrained(folder)
        readme = os.path.join(folder, "README.md")
        if os.path.exists(readme):
            os.remove(readme)
        config_file = os.path.join(folder, "adapter_config.json")
        config = json.load(open(config_file))
        config["base_model_name_or_path"] = name
        json.dump(config, open(config_file, "w"), indent=2)
        vocab = base.config.vocab_size
        ids = torch.randint(3, vocab, (24,))
        with torch.no_grad():
            logits = model(ids[None]).logits[0]
        json.dump({"ids": ids.tolist(), "logits": [[round(v, 5) for v in row] for row in logits[-4:].tolist()]},
                  open(os.path.join(folder, "logits.json"), "w"))
        json.dump(train(model, vocab), open(os.path.join(folder, "training.json"), "w"))


def train(model, vocab):
    """As llama.py trains the whole model, on the adapters."""
    torch.manual_seed(11)
    settings = dict(learningRate=1e-2, beta1=0.9, beta2=0.95, epsilon=1e-8, weightDecay=0.1, maxGradNorm=1.0)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings["learningRate"], betas=(0.9, 0.95), eps=1e-8,
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
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings["maxGradNorm"])
        optimizer.step()
        steps.append({"documents": documents, "loss": loss.item(), "gradNorm": norm.item()})
    return {"settings": settings, "steps": steps}


main(sys.argv[1])
