"""ONNX classifiers on torch, with gradients: a bounded interpreter of our own.

Importing it imports torch with everything that torch would import later on, some 800 modules: whoever imports it in the
probes' sandbox before the files close has all that `load` needs.
"""

from modelscan_plus.probe.onnx.dry import preload
from modelscan_plus.probe.onnx.limits import NetworkLimits, Refused
from modelscan_plus.probe.onnx.network import Cost, Input, OnnxNetwork, load

__all__ = ["Cost", "Input", "NetworkLimits", "OnnxNetwork", "Refused", "load"]

preload()
