"""Golden files for test/torch/pickle.test.ts, written by PyTorch itself.

    /work/peers/venv/bin/python scripts/golden/pytorch_files.py test/golden/pickle

Writes FOLDER/{zip,legacy,nested,malicious,malicious-legacy}.bin and FOLDER/values.json: for every tensor of zip.bin and
legacy.bin (both hold the same) its dtype, shape, and values as exact numbers. legacy.bin names its storages by their
addresses, so its bytes differ from run to run; its tensors do not.

malicious.bin would run `echo` through os.system if Python unpickled it. Nothing here loads it.
"""
import collections
import json
import os
import sys

sys.path.pop(0)  # this folder: its pickle.py (this file) would hide Python's own
import torch

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
torch.manual_seed(1)

base = torch.arange(12, dtype=torch.float32).view(3, 4) / 8 - 0.5
flat = torch.arange(10, dtype=torch.float32) * 1.5
tied = torch.randn(4, 3)
cube = torch.arange(24, dtype=torch.float16).view(2, 3, 4)

state = collections.OrderedDict()
state["embed.weight"] = tied
state["lm_head.weight"] = tied.view(4, 3)
state["fp32"] = base
state["bf16"] = torch.randn(2, 5).bfloat16()
state["fp16"] = torch.randn(7).half()
state["int64"] = torch.tensor([1, -2, 2**53 - 1])
state["int32"] = torch.tensor([[-5], [2**31 - 1]], dtype=torch.int32)
state["int8"] = torch.tensor([-128, 127], dtype=torch.int8)
state["uint8"] = torch.tensor([0, 255, 7], dtype=torch.uint8)
state["bool"] = torch.tensor([True, False, True])
state["fp64"] = torch.tensor([1 / 3, -1e300], dtype=torch.float64)
state["scalar"] = torch.tensor(2.5)
state["empty"] = torch.empty(0, 3)
state["head"] = flat[:4]
state["tail"] = flat[6:].view(2, 2)
state["every_third"] = flat[1::3]
state["transposed"] = base.t()
state["permuted"] = cube.permute(2, 0, 1)[1:, :, ::2]
state["column"] = cube[1, :, 2:3]
state["parameter"] = torch.nn.Parameter(torch.tensor([[0.25, -4.0]]))
state["frozen"] = torch.nn.Parameter(torch.ones(2), requires_grad=False)
state["layers"] = 2
state["big"] = 2**70
state["scale"] = 0.5
state["note"] = "naïve"
state._metadata = {"": {"version": 1}}

torch.save(state, os.path.join(folder, "zip.bin"))
torch.save(state, os.path.join(folder, "legacy.bin"), _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "note": "x", "done": True, "state_dict": {"a": base}}, os.path.join(folder, "nested.bin"))


class Malicious:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


torch.save({"a": base, "b": Malicious()}, os.path.join(folder, "malicious.bin"))
torch.save({"b": Malicious()}, os.path.join(folder, "malicious-legacy.bin"), _use_new_zipfile_serialization=False)

values = {
    name: {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "values": value.detach().flatten().tolist()}
    for name, value in state.items()
    if isinstance(value, torch.Tensor)
}
with open(os.path.join(folder, "values.json"), "w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()) + "\n}\n")
