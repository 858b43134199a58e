"""formats/tensors"""
