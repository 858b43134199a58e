"""Honest models through other exporters: skl2onnx, onnxmltools, onnxruntime's quantiser and optimiser, onnxscript,
transformers, and onnx.helper by hand. What is not installed is left out and named."""
# mypy: ignore-errors
# ruff: noqa: E501 - tables of small models

import sys
import warnings
from collections.abc import Callable
from pathlib import Path


def _try(what: str, make: Callable[[], None]) -> None:
    try:
        make()
    except Exception as error:
        print(
            f"{what}: {type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}", file=sys.stderr
        )


def sklearn(folder: Path) -> None:
    """Estimators and pipelines, by skl2onnx."""
    import numpy as np
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_iris
    from sklearn.decomposition import PCA
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.impute import KNNImputer, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import (
        Binarizer,
        KBinsDiscretizer,
        MinMaxScaler,
        Normalizer,
        OneHotEncoder,
        OrdinalEncoder,
        PolynomialFeatures,
        PowerTransformer,
        RobustScaler,
        StandardScaler,
    )

    x, y = load_iris(return_X_y=True)
    x = x.astype(np.float32)
    logistic = linear_model.LogisticRegression(max_iter=200)
    models = {
        "logistic": logistic,
        "linear": linear_model.LinearRegression(),
        "ridge": linear_model.RidgeClassifier(),
        "sgd": linear_model.SGDClassifier(),
        "poisson": linear_model.PoissonRegressor(),
        "tree": tree.DecisionTreeClassifier(),
        "stump": tree.DecisionTreeClassifier(max_depth=1),
        "tree_regressor": tree.DecisionTreeRegressor(max_depth=3),
        "forest": ensemble.RandomForestClassifier(10),
        "extra_trees": ensemble.ExtraTreesRegressor(5),
        "boosting": ensemble.GradientBoostingClassifier(n_estimators=5),
        "hist_boosting": ensemble.HistGradientBoostingClassifier(max_iter=5),
        "ada": ensemble.AdaBoostClassifier(n_estimators=5),
        "bagging": ensemble.BaggingClassifier(logistic, 4),
        "voting": ensemble.VotingClassifier(
            [("a", logistic), ("b", tree.DecisionTreeClassifier(max_depth=2))], voting="soft"
        ),
        "stacking": ensemble.StackingClassifier([("a", logistic), ("b", tree.DecisionTreeClassifier(max_depth=2))]),
        "isolation": ensemble.IsolationForest(n_estimators=5),
        "svc": svm.SVC(probability=True),
        "svr": svm.SVR(),
        "linear_svc": svm.LinearSVC(),
        "one_class": svm.OneClassSVM(),
        "knn": neighbors.KNeighborsClassifier(),
        "knn_regressor": neighbors.KNeighborsRegressor(),
        "lof": neighbors.LocalOutlierFactor(novelty=True),
        "gaussian_nb": naive_bayes.GaussianNB(),
        "bernoulli_nb": naive_bayes.BernoulliNB(binarize=1.0),
        "mlp": neural_network.MLPClassifier((12,), max_iter=50),
        "mlp_regressor": neural_network.MLPRegressor((6, 6), max_iter=50),
        "kmeans": KMeans(3),
        "gaussian_process": GaussianProcessClassifier(),
        "impute_scale": make_pipeline(SimpleImputer(), StandardScaler(), logistic),
        "knn_imputer": make_pipeline(KNNImputer(), logistic),
        "bins": make_pipeline(KBinsDiscretizer(4, encode="onehot-dense"), logistic),
        "bins_ordinal": make_pipeline(KBinsDiscretizer(4, encode="ordinal"), logistic),
        "binarizer": make_pipeline(Binarizer(threshold=2.0), logistic),
        "poly": make_pipeline(PolynomialFeatures(2), MinMaxScaler(), linear_model.Ridge()),
        "pca": make_pipeline(RobustScaler(), PCA(2), svm.SVC()),
        "power": make_pipeline(PowerTransformer(), Normalizer(), tree.DecisionTreeClassifier()),
    }
    for name, estimator in models.items():

        def make(name: str = name, estimator: object = estimator) -> None:
            options = {"zipmap": False} if hasattr(estimator, "predict_proba") and len(name) % 2 else None
            fitted = estimator.fit(x, y)
            model = to_onnx(fitted, x[:1], options={id(fitted): options} if options else None)
            (folder / f"sklearn-{name}.onnx").write_bytes(model.SerializeToString())

        _try(f"sklearn {name}", make)

    def columns() -> None:
        import pandas as pd

        frame = pd.DataFrame(
            {
                "age": [20.0, 30, 40, 50] * 5,
                "city": ["a", "b", "c", "a"] * 5,
                "member": ["yes", "no"] * 10,
                "pay": range(20),
            }
        )
        frame["pay"] = frame["pay"].astype(float)
        for kind, encoder in (("onehot", OneHotEncoder(handle_unknown="ignore")), ("ordinal", OrdinalEncoder())):
            pipe = make_pipeline(
                ColumnTransformer(
                    [
                        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "pay"]),
                        ("c", encoder, ["city", "member"]),
                    ]
                ),
                linear_model.LogisticRegression(),
            ).fit(frame, [0, 1] * 10)
            types = [
                ("age", FloatTensorType([None, 1])),
                ("city", StringTensorType([None, 1])),
                ("member", StringTensorType([None, 1])),
                ("pay", FloatTensorType([None, 1])),
            ]
            from skl2onnx import convert_sklearn

            model = convert_sklearn(pipe, initial_types=types)
            (folder / f"sklearn-columns-{kind}.onnx").write_bytes(model.SerializeToString())

    _try("sklearn columns", columns)

    def text() -> None:
        from skl2onnx import convert_sklearn

        words = ["good film", "bad film", "a very good plot", "boring and bad"] * 4
        for name, vectorizer in (("tfidf", TfidfVectorizer()), ("count", CountVectorizer(ngram_range=(1, 2)))):
            pipe = make_pipeline(vectorizer, linear_model.LogisticRegression()).fit(words, [1, 0, 1, 0] * 4)
            model = convert_sklearn(pipe, initial_types=[("text", StringTensorType([None]))])
            (folder / f"sklearn-text-{name}.onnx").write_bytes(model.SerializeToString())

    _try("sklearn text", text)


def boosters(folder: Path) -> None:
    """Gradient boosting, by onnxmltools."""
    import numpy as np
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    types = [("x", FloatTensorType([None, 6]))]

    def lightgbm() -> None:
        import lightgbm

        for name, made in (
            ("classifier", lightgbm.LGBMClassifier(n_estimators=4, verbose=-1)),
            ("regressor", lightgbm.LGBMRegressor(n_estimators=4, verbose=-1)),
        ):
            model = convert_lightgbm(made.fit(x, y), initial_types=types)
            (folder / f"lightgbm-{name}.onnx").write_bytes(model.SerializeToString())

    def xgboost() -> None:
        import xgboost

        for name, made in (
            ("classifier", xgboost.XGBClassifier(n_estimators=4)),
            ("regressor", xgboost.XGBRegressor(n_estimators=4)),
        ):
            model = convert_xgboost(made.fit(x, y), initial_types=types)
            (folder / f"xgboost-{name}.onnx").write_bytes(model.SerializeToString())

    _try("lightgbm", lightgbm)
    _try("xgboost", xgboost)


def runtime(folder: Path) -> None:
    """What onnxruntime makes of exported models: quantised in three ways, and optimised."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

    onnxruntime.set_default_logger_severity(4)

    class Reader(CalibrationDataReader):
        def __init__(self, feeds):
            self.feeds = iter([feeds] * 2)

        def get_next(self):
            return next(self.feeds, None)

    for name in (
        "cnn",
        "mlp",
        "bert_like",
        "gpt_like",
        "lstm_classifier",
        "squeeze_excite",
        "unet",
        "vit_like",
        "revin",
    ):
        source = folder / f"torch-legacy-{name}.onnx"
        if not source.exists():
            continue

        def make(name: str = name, source: Path = source) -> None:
            model = onnx.load(source)
            rng = np.random.default_rng(0)
            feeds = {}
            for item in model.graph.input:
                shape = [dim.dim_value or 2 for dim in item.type.tensor_type.shape.dim]
                integer = item.type.tensor_type.elem_type == onnx.TensorProto.INT64
                feeds[item.name] = rng.integers(0, 50, shape) if integer else rng.normal(size=shape).astype(np.float32)
            quantize_dynamic(source, folder / f"ort-dynamic-{name}.onnx")
            for kind in (QuantFormat.QDQ, QuantFormat.QOperator):
                quantize_static(
                    source, folder / f"ort-{kind.name.lower()}-{name}.onnx", Reader(feeds), quant_format=kind
                )
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
            options.optimized_model_filepath = str(folder / f"ort-optimised-{name}.onnx")
            onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])

        _try(f"onnxruntime {name}", make)


def transformer_models(folder: Path) -> None:
    """Small random models of the usual families, from transformers."""
    import contextlib
    import io

    import torch
    import transformers as hf

    small = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 120,
        "max_position_embeddings": 64,
    }  # fmt: skip
    ids = torch.randint(5, 100, (2, 9))
    mask = torch.ones(2, 9, dtype=torch.long)
    image = torch.randn(1, 3, 32, 32)
    vision = {**small, "image_size": 32, "patch_size": 8}
    makers = {
        "bert": lambda: (hf.BertForSequenceClassification(hf.BertConfig(**small)), (ids, mask)),
        "roberta": lambda: (hf.RobertaForTokenClassification(hf.RobertaConfig(**small)), (ids, mask)),
        "distilbert": lambda: (
            hf.DistilBertForMaskedLM(hf.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, vocab_size=120)),
            (ids, mask),
        ),
        "electra": lambda: (hf.ElectraForPreTraining(hf.ElectraConfig(**small, embedding_size=16)), (ids, mask)),
        "albert": lambda: (hf.AlbertForSequenceClassification(hf.AlbertConfig(**small, embedding_size=16)), (ids, mask)),
        "mpnet": lambda: (hf.MPNetModel(hf.MPNetConfig(**small)), (ids, mask)),
        "deberta": lambda: (hf.DebertaV2ForSequenceClassification(hf.DebertaV2Config(**small)), (ids, mask)),
        "gpt2": lambda: (hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=120, n_embd=32, n_layer=2, n_head=4)), (ids, None, mask)),
        "gpt2_classifier": lambda: (
            hf.GPT2ForSequenceClassification(
                hf.GPT2Config(vocab_size=120, n_embd=32, n_layer=2, n_head=4, pad_token_id=0, num_labels=3)
            ),
            (ids, None, mask),
        ),
        "opt": lambda: (
            hf.OPTForCausalLM(hf.OPTConfig(vocab_size=120, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                           ffn_dim=64, word_embed_proj_dim=32)),
            (ids, mask),
        ),
        "llama": lambda: (hf.LlamaForCausalLM(hf.LlamaConfig(**small)), (ids, mask)),
        "mistral": lambda: (hf.MistralForCausalLM(hf.MistralConfig(**small, num_key_value_heads=2)), (ids, mask)),
        "gemma": lambda: (hf.GemmaForCausalLM(hf.GemmaConfig(**small, num_key_value_heads=2, head_dim=8)), (ids, mask)),
        "qwen2": lambda: (
            hf.Qwen2ForSequenceClassification(hf.Qwen2Config(**small, num_key_value_heads=2, pad_token_id=0)), (ids, mask)
        ),
        "neox": lambda: (hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**small)), (ids, mask)),
        "bloom": lambda: (hf.BloomForCausalLM(hf.BloomConfig(vocab_size=120, hidden_size=32, n_layer=2, n_head=4)), (ids, None, mask)),
        "t5_encoder": lambda: (
            hf.T5EncoderModel(hf.T5Config(vocab_size=120, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)), (ids, mask)
        ),
        "bart": lambda: (
            hf.BartForConditionalGeneration(
                hf.BartConfig(vocab_size=120, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                              decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64)
            ),
            (ids, mask),
        ),
        "vit": lambda: (hf.ViTForImageClassification(hf.ViTConfig(**vision)), (image,)),
        "deit": lambda: (hf.DeiTForImageClassification(hf.DeiTConfig(**vision)), (image,)),
        "beit": lambda: (hf.BeitForImageClassification(hf.BeitConfig(**vision)), (image,)),
        "convnext": lambda: (
            hf.ConvNextForImageClassification(hf.ConvNextConfig(hidden_sizes=[8, 16, 16, 24], depths=[1, 1, 1, 1])), (image,)
        ),
        "resnet": lambda: (
            hf.ResNetForImageClassification(
                hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 24], depths=[1, 1, 1, 1], layer_type="basic")
            ),
            (image,),
        ),
        "clip_text": lambda: (
            hf.CLIPTextModelWithProjection(hf.CLIPTextConfig(**small, projection_dim=16, eos_token_id=99)), (ids, mask)
        ),
        "patchtst": lambda: (
            hf.PatchTSTForPrediction(hf.PatchTSTConfig(num_input_channels=3, context_length=32, prediction_length=8, patch_length=8,
                                                       patch_stride=8, d_model=16, num_attention_heads=4, num_hidden_layers=2,
                                                       ffn_dim=32)),
            (torch.randn(2, 32, 3),),
        ),
        "wav2vec2": lambda: (
            hf.Wav2Vec2ForCTC(hf.Wav2Vec2Config(**{**small, "max_position_embeddings": 64}, conv_dim=(16, 16), conv_kernel=(10, 3),
                                                conv_stride=(5, 2), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)),
            (torch.randn(1, 400),),
        ),
        "segformer": lambda: (
            hf.SegformerForSemanticSegmentation(
                hf.SegformerConfig(hidden_sizes=[8, 16, 16, 24], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 2, 4],
                                   decoder_hidden_size=16)
            ),
            (image,),
        ),
    }  # fmt: skip
    for name, maker in makers.items():

        def make(name: str = name, maker: Callable = maker) -> None:
            torch.manual_seed(0)
            model, inputs = maker()
            model.eval()
            if hasattr(model.config, "use_cache"):
                model.config.use_cache = False
            path = folder / f"transformers-{name}.onnx"
            if path.exists():
                return
            text = inputs[0].dtype == torch.long
            axes = {0: "batch", 1: "sequence"} if text else {0: "batch"}
            names = [f"input_{place}" for place, value in enumerate(inputs) if value is not None]
            with contextlib.redirect_stdout(io.StringIO()):
                torch.onnx.export(
                    model, inputs, str(path), input_names=names, dynamic_axes=dict.fromkeys(names, axes), dynamo=False,
                    opset_version=17,
                )  # fmt: skip

        _try(f"transformers {name}", make)


def scripted(folder: Path) -> None:
    """Functions, loops and branches, by onnxscript; and a greedy decoder by onnx.helper."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from tools.graphs.onnx_scripts import FUNCTIONS

    for function in FUNCTIONS:

        def make(function=function) -> None:
            (folder / f"onnxscript-{function.name}.onnx").write_bytes(function.to_model_proto().SerializeToString())

        _try(f"onnxscript {function.name}", make)

    def decoder() -> None:
        rng = np.random.default_rng(0)
        tensors = [
            numpy_helper.from_array(rng.normal(size=(30, 16)).astype(np.float32), "table"),
            numpy_helper.from_array(rng.normal(size=(16, 30)).astype(np.float32), "out"),
            numpy_helper.from_array(np.array(2), "eos"),
            numpy_helper.from_array(np.array([1]), "axis"),
            numpy_helper.from_array(np.array(20), "most"),
            numpy_helper.from_array(np.array(True), "yes"),
        ]
        body = helper.make_graph(
            [
                helper.make_node("Gather", ["table", "token"], ["e"]),
                helper.make_node("MatMul", ["e", "out"], ["l"]),
                helper.make_node("ArgMax", ["l"], ["next"], axis=-1, keepdims=0),
                helper.make_node("Equal", ["next", "eos"], ["ended"]),
                helper.make_node("Cast", ["ended"], ["ended_int"], to=TensorProto.INT64),
                helper.make_node("ReduceMin", ["ended_int"], ["all_ended"], keepdims=0),
                helper.make_node("Cast", ["all_ended"], ["stop"], to=TensorProto.BOOL),
                helper.make_node("Not", ["stop"], ["go"]),
                helper.make_node("Identity", ["next"], ["emitted"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("c", TensorProto.BOOL, []),
                helper.make_tensor_value_info("token", TensorProto.INT64, ["b"]),
            ],
            [
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                helper.make_tensor_value_info("next", TensorProto.INT64, ["b"]),
                helper.make_tensor_value_info("emitted", TensorProto.INT64, ["b"]),
            ],
        )
        graph = helper.make_graph(
            [helper.make_node("Loop", ["most", "yes", "start"], ["last", "tokens"], body=body)],
            "decoder",
            [helper.make_tensor_value_info("start", TensorProto.INT64, ["b"])],
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["t", "b"])],
            tensors,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        onnx.checker.check_model(model)
        (folder / "helper-greedy_decoder.onnx").write_bytes(model.SerializeToString())

    _try("helper decoder", decoder)


def write(folder: Path) -> None:
    """All of them."""
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    for part in (sklearn, boosters, runtime, scripted, transformer_models):
        _try(part.__name__, lambda part=part: part(folder))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
