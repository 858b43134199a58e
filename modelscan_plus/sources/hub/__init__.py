"""Reading from Hugging Face: the API by its own client, the bytes by verified ranges."""
