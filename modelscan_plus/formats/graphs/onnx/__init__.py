"""ONNX models: schema, typed result, values of small constants, and the format itself."""
