"""Files that say what other files should be: lists of hashes, pointers, indexes of shards."""
