"""dcz: run pruned, weight-shared, Huffman-coded networks from one small file.

>>> import dcz                                  # doctest: +SKIP
>>> model = dcz.load("model.dcz")               # doctest: +SKIP
>>> model.predict(["cat.jpg"], top=5)           # doctest: +SKIP

Everything here is imported on first use, so ``import dcz`` is cheap. Only the functions that work on checkpoints import
torch: `convert` and `export`, and `verify` and `report` where they compare with a model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calibration.calibrate import calibrate as calibrate
    from .calibration.report import Calibration as Calibration
    from .converters.compression.pruning import PruneRule as PruneRule
    from .converters.compression.sharing import BitsRule as BitsRule
    from .converters.convert import Report as Report
    from .converters.convert import convert as convert
    from .converters.export import export as export
    from .dcformat import Container as Container
    from .dcformat import ConversionError as ConversionError
    from .dcformat import DczError as DczError
    from .dcformat import FormatError as FormatError
    from .dcformat import InputError as InputError
    from .dcformat import Preprocess as Preprocess
    from .dcformat import UnsupportedOpError as UnsupportedOpError
    from .dcformat import open as open
    from .reporting.report import report as report
    from .runtime import Answer as Answer
    from .runtime import Model as Model
    from .runtime import Prediction as Prediction
    from .runtime import load as load
    from .verification import Verification as Verification
    from .verification import verify as verify

__version__ = "0.3.0.dev0"

_HOME = {
    "Answer": "runtime",
    "BitsRule": "converters.compression.sharing",
    "Calibration": "calibration",
    "Container": "dcformat",
    "ConversionError": "dcformat",
    "DczError": "dcformat",
    "FormatError": "dcformat",
    "InputError": "dcformat",
    "Model": "runtime",
    "Prediction": "runtime",
    "Preprocess": "dcformat",
    "PruneRule": "converters.compression.pruning",
    "Report": "converters",
    "UnsupportedOpError": "dcformat",
    "Verification": "verification",
    "calibrate": "calibration",
    "convert": "converters",
    "export": "converters",
    "load": "runtime",
    "open": "dcformat",
    "report": "reporting",
    "verify": "verification",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dcz' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
