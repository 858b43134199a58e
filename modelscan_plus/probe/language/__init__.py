"""Language models: text classifiers, causal language models, embedding models and LoRA adapters."""
