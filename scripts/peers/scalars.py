"""Scalars of a folder of event files by TensorBoard's reader, as JSON on standard output.

  python scripts/peers/scalars.py FOLDER        -> {"accumulator": {tag: [[step, value] …]}, "multiplexer": the same}

Both of its ways in: EventAccumulator, as scripts use it, and the multiplexer behind the web pages.
"""
import json, os, sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.util.tensor_util import make_ndarray

folder = sys.argv[1]
accumulator = EventAccumulator(folder)
accumulator.Reload()
accumulated = {
    tag: [[event.step, event.value] for event in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]
}
multiplexer = EventMultiplexer().AddRun(folder, "run")
multiplexer.Reload()
multiplexed = {
    tag: [[event.step, float(make_ndarray(event.tensor_proto))] for event in multiplexer.Tensors("run", tag)]
    for tag in multiplexer.Runs()["run"]["tensors"]
}
json.dump({"accumulator": accumulated, "multiplexer": multiplexed}, sys.stdout)
