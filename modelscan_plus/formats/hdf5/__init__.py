"""HDF5: the container of Keras weights, PyTables and MATLAB, read by its metadata alone."""
