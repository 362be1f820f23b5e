"""hibari's network: phonemes in, frames and their timing out.

Owns the ONNX sessions, one for each part of the graph (see ``graph``): the reader sees a whole text, the decoder
makes any stretch of its frames. A stretch is made with some of its neighbours, which a frame depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lineread._onnxruntime import ort
from lineread.engines.builtin import graph
from lineread.engines.builtin.vocoder import BINS, Frames
from lineread.english import hibari
from lineread.errors import ConfigError, ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lineread.engines.builtin.vocoder import Floats

_FRAMES_PER_UNIT: Final = 2
#: Frames to each side that are made along and thrown away. A frame depends on 27 to each side, but on those beyond 12
#: hardly more than on the network's own rounding (root mean square 0.05 to 0.09, where the values vary by 5).
_NEIGHBOURS: Final = 12
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
class Score:
    """What the network has decided about some phonemes before it makes their sound.

    Attributes:
        pitch: Hertz of each frame; around 0 where it is unvoiced.
        bounds: Where each phoneme begins, in frames, and where the last one ends: one more than there are phonemes.
        features: What the decoder reads: 1 by 130 by frames.
    """

    pitch: Floats
    bounds: NDArray[np.int64]
    features: Floats

    def __len__(self) -> int:
        return len(self.pitch)


class Network:
    """The network, loaded. Safe to call from several threads at once; each call runs on the thread that makes it.

    Args:
        model: The content of its file.

    Raises:
        ConfigError: It is broken, or of a version with another graph.
    """

    def __init__(self, model: bytes) -> None:
        try:
            parts = graph.cut(model)
        except ValueError as error:
            raise ConfigError(
                f"hibari-tts {hibari.version()} is not a version that the built-in voice knows.", remedy=hibari.REMEDY
            ) from error
        try:
            self._reader, self._decoder = _session(parts.reader), _session(parts.decoder)
        except Exception as error:
            raise ConfigError("The built-in voice's model cannot be loaded.", remedy=hibari.REMEDY) from error

    def read(self, ids: Sequence[int], pace: float) -> Score:
        """Decide how phonemes are spoken.

        Args:
            ids: Their numbers, 400 at most.
            pace: Factor on the speaking rate.

        Raises:
            ServiceFailed: The network broke.
        """
        inputs: dict[str, NDArray[Any]] = {
            "ids": np.array([[0, *ids, 0]], np.int64),
            "speed": np.array([pace], np.float32),
        }
        features, pitch, units = _run(self._reader, (graph.FEATURES, graph.PITCH, graph.DURATIONS), inputs)
        # The first and the last of them are the silence around the phonemes.
        bounds = np.cumsum(units).astype(np.int64)[:-1] * _FRAMES_PER_UNIT
        return Score(pitch[0], bounds, features)

    def frames(self, score: Score, start: int, end: int) -> Frames:
        """Make the frames from ``start`` up to ``end``.

        Raises:
            ServiceFailed: The network broke.
        """
        first = max(0, start - _NEIGHBOURS)
        features = np.ascontiguousarray(score.features[:, :, first : end + _NEIGHBOURS])
        (branches,) = _run(self._decoder, (graph.BRANCHES,), {graph.FEATURES: features})
        filter_, phase, _noise, residual, residual_phase = (
            branches[0, start - first : end - first, BINS * place : BINS * (place + 1)] for place in range(5)
        )
        return Frames(filter_, phase, residual, residual_phase, score.pitch[start:end])


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The next level makes the same graph of this model, and takes 20 ms longer to find that out.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    return ort.InferenceSession(model, options, ["CPUExecutionProvider"], disabled_optimizers=_IDLE_PASSES.split())


def _run(
    session: ort.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    try:
        return session.run(outputs, inputs)  # type: ignore[no-any-return]  # arrays, in the order of the names
    except Exception as error:
        raise ServiceFailed("The built-in voice's network failed.", remedy=hibari.REMEDY) from error
