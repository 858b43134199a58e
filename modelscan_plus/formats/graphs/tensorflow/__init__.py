"""TensorFlow: SavedModel, MetaGraph, frozen graphs, checkpoints and the metadata that Keras puts beside them."""
