"""hibari's network: phonemes in, frames and their timing out.

Owns the ONNX session. The network decides for each phoneme how long it lasts, but does not say so: the number is a
value inside its graph, the only one that goes through a Clip node, in units of two frames. It is made an output by
appending a few bytes to the model file: protobuf merges a message that occurs twice, so a second graph that holds
nothing but an output adds that output to the first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

# Without this onnxruntime counts its uses in a file of its own and sends them to its maker: the built-in voice keeps
# what is done with it on the machine. Its own switch, `disable_telemetry_events`, comes too late for that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

from lineread.engines.builtin import package
from lineread.engines.builtin.vocoder import Frames
from lineread.errors import ConfigError, ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DURATIONS: Final = "/Clip_output_0"
_FRAMES_PER_UNIT: Final = 2
#: Field numbers of ModelProto.graph, GraphProto.output and ValueInfoProto.name.
_GRAPH, _OUTPUT, _NAME = 7, 12, 1
_OUTPUTS: Final = ("lh", "theta", "lr", "phi", "f0", _DURATIONS)
#: Passes of onnxruntime over the graph that do not make this one faster. Left out, setting up takes 0.6 of its time;
#: what helps (fused layer norms, GELUs and integer products) stays in. Names that a version lacks are no mistake.
_IDLE_PASSES: Final = (
    "AttentionFusion BiasDropoutFusion BiasGeluFusion BiasSoftmaxFusion CastElimination CommonSubexpressionElimination"
    " ConstantFolding ConstantSharing ConvActivationFusion ConvAddActivationFusion ConvAddFusion ConvBNFusion"
    " ConvMulFusion DivMulFusion DoubleQDQPairsRemover EliminateDropout EliminateIdentity EliminateSlice"
    " EmbedLayerNormFusion EnsureUniqueDQForNodeUnit ExpandElimination FastGeluFusion FreeDimensionOverrideTransformer"
    " FuseReluClip GatherSliceToSplitFusion GatherToSliceFusion GemmActivationFusion GemmSumFusion GemmTransposeFusion"
    " GroupQueryAttentionFusion LabelEncoderFusion MatMulActivationFusion MatMulAddFusion MatMulNBitsFusion"
    " MatMulScaleFusion MatmulBNFusion MatmulTransposeFusion NchwcTransformer NhwcTransformer NoopElimination"
    " NotWhereFusion PadFusion PreShapeNodeElimination PropagateCastOps QDQFinalCleanupTransformer"
    " QDQPropagationTransformer QDQS8ToU8Transformer QDQSelectorActionTransformer QuickGeluFusion ReshapeFusion"
    " SimplifiedLayerNormFusion SkipLayerNormFusion TransposeOptimizer UnsqueezeElimination WhereDummyDq"
)


@dataclass(frozen=True, slots=True)
class Sounds:
    """What the network makes of some phonemes.

    Attributes:
        frames: How they sound.
        bounds: Where each phoneme begins, in frames, and where the last one ends: one more than there are phonemes.
    """

    frames: Frames
    bounds: NDArray[np.int64]


class Network:
    """The network, loaded. Safe to call from several threads at once; each call runs on the thread that makes it.

    Args:
        model: The content of its file.

    Raises:
        ConfigError: It is broken, or of a version with another graph.
    """

    def __init__(self, model: bytes) -> None:
        if _DURATIONS.encode() not in model:
            raise ConfigError(
                f"hibari-tts {package.version()} is not a version that the built-in voice knows.", remedy=package.REMEDY
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The next level makes the same graph of this model, and takes 20 ms longer to find that out.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        try:
            self._session = ort.InferenceSession(
                model + _extra_output(), options, ["CPUExecutionProvider"], disabled_optimizers=_IDLE_PASSES.split()
            )
        except Exception as error:
            raise ConfigError("The built-in voice's model cannot be loaded.", remedy=package.REMEDY) from error

    def __call__(self, ids: Sequence[int], pace: float) -> Sounds:
        """Speak phonemes.

        Args:
            ids: Their numbers, 400 at most.
            pace: Factor on the speaking rate.

        Raises:
            ServiceFailed: The network broke.
        """
        inputs = {"ids": np.array([[0, *ids, 0]], np.int64), "speed": np.array([pace], np.float32)}
        try:
            magnitude, phase, residual, residual_phase, pitch, units = self._session.run(_OUTPUTS, inputs)
        except Exception as error:
            raise ServiceFailed("The built-in voice's network failed.", remedy=package.REMEDY) from error
        frames = Frames(magnitude[0], phase[0], residual[0], residual_phase[0], pitch[0])
        # The first and the last of them are the silence around the phonemes.
        bounds = np.cumsum(units).astype(np.int64)[:-1] * _FRAMES_PER_UNIT
        return Sounds(frames, bounds)


def _extra_output() -> bytes:
    """What makes the durations an output of the graph, as protobuf."""
    return _field(_GRAPH, _field(_OUTPUT, _field(_NAME, _DURATIONS.encode())))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field. All of ours are short, so that each length is one byte."""
    assert len(content) < 0x80
    return bytes([number << 3 | 2, len(content)]) + content
