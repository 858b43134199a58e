"""ONNX classifiers on torch, with gradients: a bounded interpreter of our own. Importing it imports torch.

Where no file can be opened later, as in the probes' sandbox, `preload` has to be called first.
"""

from modelscan_plus.probe.onnx.dry import preload
from modelscan_plus.probe.onnx.limits import NetworkLimits, Refused
from modelscan_plus.probe.onnx.network import Cost, Input, OnnxNetwork, load

__all__ = ["Cost", "Input", "NetworkLimits", "OnnxNetwork", "Refused", "load", "preload"]
