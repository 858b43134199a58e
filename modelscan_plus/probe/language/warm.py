"""Small models that are run once before the sandbox closes: torch and transformers import some parts at first use."""

import importlib
from typing import Any


def run() -> None:
    """A forward and a backward pass of one model of each kind of attention, and a generated text."""
    import torch

    transformers: Any = importlib.import_module("transformers")
    size: dict[str, Any] = {"vocab_size": 32, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    size |= {"intermediate_size": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    deberta = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8}
    state = torch.get_rng_state()
    models = (
        transformers.BertForSequenceClassification(transformers.BertConfig(**size)),
        transformers.DebertaV2ForSequenceClassification(transformers.DebertaV2Config(**size, **deberta)),
        transformers.LlamaForCausalLM(transformers.LlamaConfig(**size)),
        transformers.GPT2LMHeadModel(transformers.GPT2Config(**size)),
    )
    ids = torch.arange(6).reshape(2, 3)
    for model in models:
        model.eval().requires_grad_(requires_grad=False)
        vectors = model.get_input_embeddings()(ids).requires_grad_(requires_grad=True)
        logits = model(inputs_embeds=vectors, attention_mask=torch.ones_like(ids)).logits
        logits.logsumexp(-1).sum().backward()
        if hasattr(model, "lm_head"):
            model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=False)
    torch.set_rng_state(state)
