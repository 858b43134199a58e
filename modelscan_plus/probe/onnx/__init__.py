"""ONNX classifiers on torch, with gradients: a bounded interpreter of our own. Importing it imports torch."""

from modelscan_plus.probe.onnx.limits import NetworkLimits, Refused
from modelscan_plus.probe.onnx.network import Cost, Input, OnnxNetwork, load

__all__ = ["Cost", "Input", "NetworkLimits", "OnnxNetwork", "Refused", "load"]
