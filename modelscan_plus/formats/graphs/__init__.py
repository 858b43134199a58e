"""Computation graphs: ONNX, and the protocol-buffer reader under it."""
