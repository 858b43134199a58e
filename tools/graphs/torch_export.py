"""Write the models of torch_models/ through both of PyTorch's ONNX exporters."""
# mypy: ignore-errors

import contextlib
import io
import sys
import warnings
from pathlib import Path


def write(folder: Path, names: list[str] | None = None) -> None:
    """One file for each model and exporter; what an exporter cannot do is left out and named."""
    import torch

    from tools.graphs.torch_models import MODELS

    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for name, build in MODELS.items():
        if names and name not in names:
            continue
        torch.manual_seed(len(name))
        net, inputs, dynamic = build()
        net.eval()
        places = [f"input_{number}" for number in range(len(inputs))]
        for exporter in ("legacy", "dynamo"):
            path = folder / f"torch-{exporter}-{name}.onnx"
            if path.exists():
                continue
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    if exporter == "legacy":
                        axes = dict.fromkeys(places, dynamic) if dynamic else {}
                        torch.onnx.export(
                            net,
                            inputs,
                            str(path),
                            input_names=places,
                            dynamic_axes=axes,
                            dynamo=False,
                            opset_version=17,
                        )
                    else:
                        torch.onnx.export(net, inputs, str(path), input_names=places, dynamo=True, external_data=False)
            except Exception as error:
                path.unlink(missing_ok=True)
                print(f"{path.name}: {type(error).__name__}: {str(error).splitlines()[0][:120]}", file=sys.stderr)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
