"""Loads a model of each family and runs it, after the sandbox has closed. Prints what worked as JSON."""

import json
import sys

from modelscan_plus.core.limits import Limits
from modelscan_plus.probe.language import architectures
from modelscan_plus.probe.language.load import load, preload
from modelscan_plus.workers import sandbox
from tests.probe.language import tiny


def main() -> None:
    import torch

    alone = sandbox.leave_network()
    preload()
    packed = {}
    for model_type, family in architectures.FAMILIES.items():
        kind = next(iter(family.classes))
        model = tiny.build(family.classes[kind], family.config, **tiny.NEEDS.get(model_type, {}))
        packed[model_type] = tiny.files(tiny.saved(model))
    sandbox.apply(Limits(memory=4 << 30), alone=alone)
    loaded, failed = [], {}
    ids = torch.tensor([[2, 6, 7, 5]])
    for model_type, files in packed.items():
        try:
            model = load(files).model
            vectors = model.get_input_embeddings()(ids).requires_grad_(requires_grad=True)
            given = {"input_ids": ids} if model_type == "t5" else {"inputs_embeds": vectors}
            out = model(**given, attention_mask=torch.ones_like(ids))
            if model_type != "t5":
                out.logits.sum().backward()
            loaded.append(model_type)
        except Exception as error:
            failed[model_type] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps({"loaded": loaded, "failed": failed}) + "\n")


if __name__ == "__main__":
    main()
