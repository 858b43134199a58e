"""Objects and tables that other languages and programs write: R, Lua Torch, Parquet."""
