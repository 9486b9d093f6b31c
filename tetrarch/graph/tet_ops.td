// The op table of the `tet` dialect: one row an op, in the order elementwise, shape, contraction, reduction,
// gather/scatter/sort, control flow, structure. The semantics are StableHLO's where the op has its name.
#ifndef TETRARCH_GRAPH_TET_OPS_TD
#define TETRARCH_GRAPH_TET_OPS_TD

include "tetrarch/graph/tet_base.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

//===-- Elementwise, one operand ---------------------------------------------------------------------------------===//

def Tet_AbsOp : Tet_UnaryOp<"abs", Tet_SignedTensor, 1, "|x|; the lowest integer stays itself.">;
def Tet_CbrtOp : Tet_UnaryOp<"cbrt", Tet_FloatTensor, 10, "The real cube root.">;
def Tet_CeilOp : Tet_UnaryOp<"ceil", Tet_FloatTensor, 1, "The least integer not below x.">;
def Tet_CosineOp : Tet_UnaryOp<"cosine", Tet_FloatTensor, 10, "cos(x), x in radians.">;
def Tet_CountLeadingZerosOp : Tet_UnaryOp<"count_leading_zeros", Tet_IntTensor, 1,
    "How many zero bits precede the highest one bit, in the width of the type.">;
def Tet_ErfOp : Tet_UnaryOp<"erf", Tet_FloatTensor, 10, "The error function (CHLO's).">;
def Tet_ExponentialOp : Tet_UnaryOp<"exponential", Tet_FloatTensor, 10, "e^x.">;
def Tet_ExponentialMinusOneOp : Tet_UnaryOp<"exponential_minus_one", Tet_FloatTensor, 10,
    "e^x - 1 without cancellation near 0.">;
def Tet_FloorOp : Tet_UnaryOp<"floor", Tet_FloatTensor, 1, "The greatest integer not above x.">;
def Tet_LogOp : Tet_UnaryOp<"log", Tet_FloatTensor, 10, "The natural logarithm; NaN below 0.">;
def Tet_LogPlusOneOp : Tet_UnaryOp<"log_plus_one", Tet_FloatTensor, 10,
    "log(1 + x) without cancellation near 0.">;
def Tet_LogisticOp : Tet_UnaryOp<"logistic", Tet_FloatTensor, 10, "1 / (1 + e^-x).">;
def Tet_NegateOp : Tet_UnaryOp<"negate", Tet_NumberTensor, 1, "-x; the lowest integer stays itself.">;
def Tet_NotOp : Tet_UnaryOp<"not", Tet_BitsTensor, 1, "Every bit inverted; on i1, logical not.">;
def Tet_PopcntOp : Tet_UnaryOp<"popcnt", Tet_IntTensor, 1, "How many bits of x are one.">;
def Tet_RoundNearestAfzOp : Tet_UnaryOp<"round_nearest_afz", Tet_FloatTensor, 1,
    "The nearest integer, halves away from zero.">;
def Tet_RoundNearestEvenOp : Tet_UnaryOp<"round_nearest_even", Tet_FloatTensor, 1,
    "The nearest integer, halves to even.">;
def Tet_RsqrtOp : Tet_UnaryOp<"rsqrt", Tet_FloatTensor, 5, "1 / sqrt(x).">;
def Tet_SignOp : Tet_UnaryOp<"sign", Tet_SignedTensor, 1, "-1, 0 or 1; NaN of NaN, and -0 of -0.">;
def Tet_SineOp : Tet_UnaryOp<"sine", Tet_FloatTensor, 10, "sin(x), x in radians.">;
def Tet_SqrtOp : Tet_UnaryOp<"sqrt", Tet_FloatTensor, 4, "The square root; NaN below 0.">;
def Tet_TanOp : Tet_UnaryOp<"tan", Tet_FloatTensor, 10, "tan(x), x in radians.">;
def Tet_TanhOp : Tet_UnaryOp<"tanh", Tet_FloatTensor, 10, "The hyperbolic tangent.">;

def Tet_IsFiniteOp : Tet_ElementwiseOp<"is_finite", 1, "Whether x is neither infinite nor NaN.",
                                       [SameShapes<["operand", "result"]>, Tet_ElementwiseUnary, InferTypeOpAdaptor]> {
  let arguments = (ins Tet_FloatTensor:$operand);
  let results = (outs Tet_BoolTensor:$result);
  let assemblyFormat = "$operand attr-dict `:` functional-type(operands, results)";
}

def Tet_ConvertOp : Tet_ElementwiseOp<"convert", 1, [{
    The value in another element type: floats round to nearest even, float to integer truncates toward zero (what
    does not fit is unspecified), integers wrap, x to i1 is x != 0, i1 to a number is 0 or 1.}],
    [SameShapes<["operand", "result"]>, Tet_ElementwiseUnary]> {
  let arguments = (ins Tet_Tensor:$operand);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand attr-dict `:` functional-type(operands, results)";
  let builders = [OpBuilder<(ins "::mlir::Value":$operand, "::mlir::Type":$elementType), [{
    auto type = ::llvm::cast<::mlir::RankedTensorType>(operand.getType());
    build($_builder, $_state, type.clone(elementType), operand);
  }]>];
}

//===-- Elementwise, two and three operands ----------------------------------------------------------------------===//

def Tet_AddOp : Tet_BinaryOp<"add", Tet_NumberTensor, 1, "x + y.", [Commutative, Tet_Associative]>;
def Tet_AndOp : Tet_BinaryOp<"and", Tet_BitsTensor, 1, "Bitwise, on i1 logical, and.",
                             [Commutative, Tet_Associative]>;
def Tet_Atan2Op : Tet_BinaryOp<"atan2", Tet_FloatTensor, 10, "The angle of the point (rhs, lhs) in [-pi, pi].">;
def Tet_DivideOp : Tet_BinaryOp<"divide", Tet_NumberTensor, 4, [{
    x / y; integers truncate toward zero. Integer division by zero gives all ones, and the lowest integer by -1 gives
    itself.}]>;
def Tet_MaximumOp : Tet_BinaryOp<"maximum", Tet_Tensor, 1, "The larger; NaN when either is NaN; on i1, or.",
                                 [Commutative, Tet_Associative]>;
def Tet_MinimumOp : Tet_BinaryOp<"minimum", Tet_Tensor, 1, "The smaller; NaN when either is NaN; on i1, and.",
                                 [Commutative, Tet_Associative]>;
def Tet_MultiplyOp : Tet_BinaryOp<"multiply", Tet_NumberTensor, 1, "x * y.", [Commutative, Tet_Associative]>;
def Tet_OrOp : Tet_BinaryOp<"or", Tet_BitsTensor, 1, "Bitwise, on i1 logical, or.", [Commutative, Tet_Associative]>;
def Tet_PowerOp : Tet_BinaryOp<"power", Tet_NumberTensor, 10, [{
    x to the y. An integer to a negative power is 0, but 1 for x = 1, and 1 or -1 for x = -1.}]>;
def Tet_RemainderOp : Tet_BinaryOp<"remainder", Tet_NumberTensor, 4, [{
    x - y * truncate(x / y), with the sign of x. Integer remainder by zero gives x.}]>;
def Tet_ShiftLeftOp : Tet_BinaryOp<"shift_left", Tet_IntTensor, 1, [{
    x * 2^y; 0 when y, read as unsigned, is the width or more.}]>;
def Tet_ShiftRightArithmeticOp : Tet_BinaryOp<"shift_right_arithmetic", Tet_IntTensor, 1, [{
    x shifted right, its top bit repeated; all copies of the top bit when y, read as unsigned, is the width or more.}]>;
def Tet_ShiftRightLogicalOp : Tet_BinaryOp<"shift_right_logical", Tet_IntTensor, 1, [{
    x shifted right, zeros moved in; 0 when y, read as unsigned, is the width or more.}]>;
def Tet_SubtractOp : Tet_BinaryOp<"subtract", Tet_NumberTensor, 1, "x - y.">;
def Tet_XorOp : Tet_BinaryOp<"xor", Tet_BitsTensor, 1, "Bitwise, on i1 logical, exclusive or.",
                             [Commutative, Tet_Associative]>;

def Tet_CompareOp : Tet_ElementwiseOp<"compare", 1, [{
    Whether `lhs` stands to `rhs` as `comparison_direction` says; with a NaN only NE holds. false < true.}],
    [SameTypes<["lhs", "rhs"]>, Tet_ElementwiseBinary, InferTypeOpAdaptor]> {
  let arguments = (ins Tet_ComparisonDirectionAttr:$comparison_direction, Tet_Tensor:$lhs, Tet_Tensor:$rhs);
  let results = (outs Tet_BoolTensor:$result);
  let assemblyFormat = "$comparison_direction `,` $lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let builders = [OpBuilder<(ins "::mlir::Value":$lhs, "::mlir::Value":$rhs, "ComparisonDirection":$direction),
                            [{ build($_builder, $_state, direction, lhs, rhs); }]>];
}

def Tet_SelectOp : Tet_ElementwiseOp<"select", 1, "`on_true` where `pred` holds, `on_false` elsewhere.",
                                     [SameTypes<["on_true", "on_false", "result"]>]> {
  let arguments = (ins Tet_BoolTensor:$pred, Tet_Tensor:$on_true, Tet_Tensor:$on_false);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$pred `,` $on_true `,` $on_false attr-dict `:` type($pred) `,` type($result)";
}

def Tet_ClampOp : Tet_ElementwiseOp<"clamp", 2, "minimum(maximum(operand, min), max).",
                                    [SameTypes<["min", "operand", "max", "result"]>]> {
  let arguments = (ins Tet_NumberTensor:$min, Tet_NumberTensor:$operand, Tet_NumberTensor:$max);
  let results = (outs Tet_NumberTensor:$result);
  let assemblyFormat = "$min `,` $operand `,` $max attr-dict `:` type($result)";
}

//===-- Shapes and data movement ---------------------------------------------------------------------------------===//

def Tet_ConstantOp : Tet_InferredOp<"constant", [ConstantLike]> {
  let description = [{
    A value known when the graph was made. (C1) `value` is a DenseElementsAttr, or a DenseResourceElementsAttr for large
    weights, of the result's type; use graph/constants.h, which hides the difference.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Tet_IotaOp : Tet_PureOp<"iota"> {
  let description = [{
    Element i along `iota_dimension` is i. (C1) `iota_dimension` is a dimension of the result.
  }];
  let arguments = (ins Tet_I64Attr:$iota_dimension);
  let results = (outs Tet_NumberTensor:$result);
  let assemblyFormat = "`dim` `=` $iota_dimension attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tet_BroadcastInDimOp : Tet_PureOp<"broadcast_in_dim", [Tet_DataMovement]> {
  let description = [{
    Repeats the operand: its dimension d becomes dimension `broadcast_dimensions[d]` of the result.
    (C1) Element types agree. (C2) There is one entry per dimension of the operand. (C3) Entries are dimensions of the
    result, in increasing order. (C4) A dimension of the operand is 1 or that of the result.
  }];
  let arguments = (ins Tet_Tensor:$operand, DenseI64ArrayAttr:$broadcast_dimensions);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand `,` `dims` `=` $broadcast_dimensions attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$operand, "::llvm::ArrayRef<int64_t>":$shape,
                                 "::llvm::ArrayRef<int64_t>":$dimensions), [{
    auto type = ::llvm::cast<::mlir::RankedTensorType>(operand.getType());
    build($_builder, $_state, type.clone(shape), operand, dimensions);
  }]>];
}

def Tet_ReshapeOp : Tet_PureOp<"reshape", [Tet_DataMovement]> {
  let description = [{
    The same elements in the same row-major order. (C1) Element types agree. (C2) Element counts agree.
  }];
  let arguments = (ins Tet_Tensor:$operand);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$operand, "::llvm::ArrayRef<int64_t>":$shape), [{
    auto type = ::llvm::cast<::mlir::RankedTensorType>(operand.getType());
    build($_builder, $_state, type.clone(shape), operand);
  }]>];
}

def Tet_BitcastConvertOp : Tet_PureOp<"bitcast_convert"> {
  let description = [{
    The same bits under another element type; a narrower (wider) type adds (takes) a last dimension, least significant
    part first. (C1) The number of bits agrees. (C2) Shapes agree but for that last dimension. (C3) i1 and i4 only
    convert to themselves.
  }];
  let arguments = (ins Tet_Tensor:$operand);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tet_TransposeOp : Tet_InferredOp<"transpose", [Tet_DataMovement]> {
  let description = [{
    Dimension d of the result is dimension `permutation[d]` of the operand. (C1) `permutation` is one of the operand's
    dimensions.
  }];
  let arguments = (ins Tet_Tensor:$operand, DenseI64ArrayAttr:$permutation);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand `,` `dims` `=` $permutation attr-dict `:` functional-type(operands, results)";
}

def Tet_ReverseOp : Tet_InferredOp<"reverse", [Tet_DataMovement]> {
  let description = "The order of elements along `dimensions` reversed. (C1) They are distinct dimensions.";
  let arguments = (ins Tet_Tensor:$operand, DenseI64ArrayAttr:$dimensions);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand `,` `dims` `=` $dimensions attr-dict `:` functional-type(operands, results)";
}

def Tet_SliceOp : Tet_InferredOp<"slice", [Tet_DataMovement]> {
  let description = [{
    Elements `start`, `start + stride`, … below `limit` along each dimension. (C1) One start, limit and stride per
    dimension. (C2) 0 <= start <= limit <= dimension. (C3) stride >= 1.
  }];
  let arguments = (ins Tet_Tensor:$operand, DenseI64ArrayAttr:$start_indices, DenseI64ArrayAttr:$limit_indices,
                       DenseI64ArrayAttr:$strides);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = [{
    $operand `,` `starts` `=` $start_indices `,` `limits` `=` $limit_indices `,` `strides` `=` $strides attr-dict
    `:` functional-type(operands, results)
  }];
}

def Tet_DynamicSliceOp : Tet_InferredOp<"dynamic_slice", [Tet_DataMovement]> {
  let description = [{
    The block of `slice_sizes` that begins at `start_indices`, which are clamped so that the block lies inside.
    (C1) One start and one size per dimension. (C2) 0 <= size <= dimension. (C3) Starts have one type.
  }];
  let arguments = (ins Tet_Tensor:$operand, Variadic<Tet_ScalarInt>:$start_indices, DenseI64ArrayAttr:$slice_sizes);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = [{
    $operand `[` $start_indices `]` `,` `sizes` `=` $slice_sizes attr-dict `:` functional-type(operands, results)
  }];
}

def Tet_DynamicUpdateSliceOp : Tet_InferredOp<"dynamic_update_slice", [Tet_DataMovement]> {
  let description = [{
    `operand` with the block at `start_indices`, clamped so that it lies inside, replaced by `update`.
    (C1) Element types agree. (C2) Ranks agree, and there is one start per dimension. (C3) `update` is nowhere larger
    than `operand`. (C4) Starts have one type.
  }];
  let arguments = (ins Tet_Tensor:$operand, Tet_Tensor:$update, Variadic<Tet_ScalarInt>:$start_indices);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = [{
    $operand `,` $update `[` $start_indices `]` attr-dict `:` functional-type(operands, results)
  }];
}

def Tet_PadOp : Tet_InferredOp<"pad", [Tet_DataMovement]> {
  let description = [{
    `padding_value` around the operand (`edge_padding_low`, `edge_padding_high`; negative ones remove elements) and
    `interior_padding` of them between neighbours. (C1) `padding_value` is a scalar of the operand's element type.
    (C2) One low, high and interior entry per dimension. (C3) interior >= 0. (C4) No dimension becomes negative or beyond 2^62.
  }];
  let arguments = (ins Tet_Tensor:$operand, Tet_Tensor:$padding_value, DenseI64ArrayAttr:$edge_padding_low,
                       DenseI64ArrayAttr:$edge_padding_high, DenseI64ArrayAttr:$interior_padding);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = [{
    $operand `,` $padding_value `,` `low` `=` $edge_padding_low `,` `high` `=` $edge_padding_high `,`
    `interior` `=` $interior_padding attr-dict `:` functional-type(operands, results)
  }];
}

def Tet_ConcatenateOp : Tet_InferredOp<"concatenate", [Tet_DataMovement]> {
  let description = [{
    The inputs one after the other along `dimension`. (C1) At least one input. (C2) `dimension` is one of theirs.
    (C3) They agree in element type, rank and all other dimensions.
  }];
  let arguments = (ins Variadic<Tet_Tensor>:$inputs, Tet_I64Attr:$dimension);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "`(` $inputs `)` `,` `dim` `=` $dimension attr-dict `:` functional-type(operands, results)";
}

//===-- Contractions ---------------------------------------------------------------------------------------------===//

def Tet_DotGeneralOp : Tet_ContractionOp<"dot_general"> {
  let description = [{
    Sums of products over the contracting dimensions, for each index of the batching dimensions; the result's dimensions
    are batching, then lhs's others, then rhs's others. The sum is at least as wide as f32 (i32), rounded once.
    (C1) Operands and result are all floats or all integers. (C2) lhs and rhs have as many batching, and as many
    contracting dimensions. (C3) Those of one operand are distinct dimensions of it. (C4) Paired dimensions are equal.
  }];
  let arguments = (ins Tet_NumberTensor:$lhs, Tet_NumberTensor:$rhs,
                       DenseI64ArrayAttr:$lhs_batching_dimensions, DenseI64ArrayAttr:$rhs_batching_dimensions,
                       DenseI64ArrayAttr:$lhs_contracting_dimensions, DenseI64ArrayAttr:$rhs_contracting_dimensions);
  let results = (outs Tet_NumberTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `,` `batching_dims` `=` $lhs_batching_dimensions `x` $rhs_batching_dimensions `,`
    `contracting_dims` `=` $lhs_contracting_dimensions `x` $rhs_contracting_dimensions attr-dict
    `:` functional-type(operands, results)
  }];
}

def Tet_ConvolutionOp : Tet_ContractionOp<"convolution"> {
  let description = [{
    Slides windows of lhs (the input) along its spatial dimensions and sums products with rhs (the kernel), for each
    output feature. `padding` holds low and high of each spatial dimension in turn; `lhs_dilation` spreads the input
    (transposed convolution), `rhs_dilation` the kernel. The sum is at least as wide as f32 (i32), rounded once.
    (C1) Operands and result are all floats or all integers. (C2) The three tensors have one rank of at least 2, and
    each one's dimension numbers name every dimension once. (C3) Strides and dilations have one positive entry per
    spatial dimension, `padding` two. (C4) Group counts are positive and at most one is above 1. (C5) Input features =
    kernel input features * feature_group_count. (C6) Kernel output features divide by either group count, the input's
    batch by batch_group_count. (C7) A dilated kernel is not empty; padding may be negative, no padded input is.
  }];
  let arguments = (ins Tet_NumberTensor:$lhs, Tet_NumberTensor:$rhs,
                       DenseI64ArrayAttr:$window_strides, DenseI64ArrayAttr:$padding,
                       DenseI64ArrayAttr:$lhs_dilation, DenseI64ArrayAttr:$rhs_dilation,
                       Tet_I64Attr:$input_batch_dimension, Tet_I64Attr:$input_feature_dimension,
                       DenseI64ArrayAttr:$input_spatial_dimensions,
                       Tet_I64Attr:$kernel_input_feature_dimension, Tet_I64Attr:$kernel_output_feature_dimension,
                       DenseI64ArrayAttr:$kernel_spatial_dimensions,
                       Tet_I64Attr:$output_batch_dimension, Tet_I64Attr:$output_feature_dimension,
                       DenseI64ArrayAttr:$output_spatial_dimensions,
                       DefaultValuedAttr<Tet_I64Attr, "1">:$feature_group_count,
                       DefaultValuedAttr<Tet_I64Attr, "1">:$batch_group_count);
  let results = (outs Tet_NumberTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

//===-- Reductions -----------------------------------------------------------------------------------------------===//

def Tet_ReduceOp : Tet_InferredOp<"reduce", [DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops"]>]> {
  let description = [{
    Combines all elements along `dimensions`, which disappear; the kind's identity where there is none.
    (C1) `dimensions` are distinct dimensions of the operand. (C2) `kind` is not assign; it is and, or, xor only on
    integers and i1; i1 has no add and multiply.
  }];
  let arguments = (ins Tet_ReductionKindAttr:$kind, Tet_Tensor:$operand, DenseI64ArrayAttr:$dimensions);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$kind `,` $operand `,` `dims` `=` $dimensions attr-dict `:` functional-type(operands, results)";
}

def Tet_ReduceWindowOp : Tet_InferredOp<"reduce_window", [DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops"]>]> {
  let description = [{
    Combines the elements of each window; what `padding` (low and high of each dimension in turn) and `base_dilations`
    add counts as the kind's identity. (C1) Window dimensions, strides and dilations have one positive entry per
    dimension, `padding` two. (C2) `kind` is one that reduce takes. (C3) No padded dimension is negative or beyond 2^62.
  }];
  let arguments = (ins Tet_ReductionKindAttr:$kind, Tet_Tensor:$operand, DenseI64ArrayAttr:$window_dimensions,
                       DenseI64ArrayAttr:$window_strides, DenseI64ArrayAttr:$base_dilations,
                       DenseI64ArrayAttr:$window_dilations, DenseI64ArrayAttr:$padding);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = [{
    $kind `,` $operand `,` `window` `=` $window_dimensions `,` `strides` `=` $window_strides `,`
    `base_dilations` `=` $base_dilations `,` `window_dilations` `=` $window_dilations `,` `padding` `=` $padding
    attr-dict `:` functional-type(operands, results)
  }];
}

def Tet_CumulativeOp : Tet_InferredOp<"cumulative", [DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops"]>]> {
  let description = [{
    Element i along `dimension` combines elements 0 to i: what reduce_window with a window of the whole dimension would
    give, in linear time. (C1) `dimension` is one of the operand's. (C2) `kind` is one that reduce takes.
  }];
  let arguments = (ins Tet_ReductionKindAttr:$kind, Tet_Tensor:$operand, Tet_I64Attr:$dimension);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$kind `,` $operand `,` `dim` `=` $dimension attr-dict `:` functional-type(operands, results)";
}

//===-- Gather, scatter, sort ------------------------------------------------------------------------------------===//

def Tet_GatherOp : Tet_InferredOp<"gather", [Tet_DataMovement]> {
  let description = [{
    One slice of `slice_sizes` per index vector of `start_indices`, clamped to lie inside the operand. An index vector
    runs along `index_vector_dim` (= rank: every element is one); its part k is the start along dimension
    `start_index_map[k]`. The result's `offset_dims` are the slice's dimensions but for the collapsed and batching ones.
    (C1) `index_vector_dim` is in [0, rank of start_indices]. (C2) `start_index_map` has as many entries as an index
    vector, distinct dimensions of the operand. (C3) One slice size per dimension, 0 <= size <= dimension, at most 1
    where collapsed or batching. (C4) Collapsed and batching dimensions are distinct, in increasing order, and so are
    `offset_dims`, which have an entry for each other dimension. (C5) Batching dimensions pair with those of
    start_indices, of the same size, and are not in `start_index_map`.
  }];
  let arguments = (ins Tet_Tensor:$operand, Tet_IntTensor:$start_indices, DenseI64ArrayAttr:$offset_dims,
                       DenseI64ArrayAttr:$collapsed_slice_dims, DenseI64ArrayAttr:$operand_batching_dims,
                       DenseI64ArrayAttr:$start_indices_batching_dims, DenseI64ArrayAttr:$start_index_map,
                       Tet_I64Attr:$index_vector_dim, DenseI64ArrayAttr:$slice_sizes);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = "$operand `,` $start_indices attr-dict `:` functional-type(operands, results)";
}

def Tet_ScatterOp : Tet_InferredOp<"scatter", [DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops"]>]> {
  let description = [{
    `input` with the slices of `updates` combined into it by `kind` at the places that `scatter_indices` name, in
    row-major order of `updates`; an element that falls outside is dropped. The dimension numbers are gather's, read
    backwards. (C1) `index_vector_dim` is in [0, rank of scatter_indices]. (C2) `scatter_dims_to_operand_dims` has as
    many entries as an index vector, distinct dimensions of the input. (C3) Element types agree, and `kind` is assign
    or one that reduce takes. (C4) Inserted and batching dimensions are distinct, in increasing order, and so are
    `update_window_dims`, which have an entry for each other dimension. (C5) Batching dimensions pair with those of
    scatter_indices, of the same size, and are not in `scatter_dims_to_operand_dims`. (C6) The other dimensions of
    `updates` are those of `scatter_indices` without `index_vector_dim`; no window is larger than the input.
  }];
  let arguments = (ins Tet_ReductionKindAttr:$kind, Tet_Tensor:$input, Tet_IntTensor:$scatter_indices,
                       Tet_Tensor:$updates, DenseI64ArrayAttr:$update_window_dims,
                       DenseI64ArrayAttr:$inserted_window_dims, DenseI64ArrayAttr:$input_batching_dims,
                       DenseI64ArrayAttr:$scatter_indices_batching_dims,
                       DenseI64ArrayAttr:$scatter_dims_to_operand_dims, Tet_I64Attr:$index_vector_dim);
  let results = (outs Tet_Tensor:$result);
  let assemblyFormat = [{
    $kind `,` $input `,` $scatter_indices `,` $updates attr-dict `:` functional-type(operands, results)
  }];
}

def Tet_SortOp : Tet_PureOp<"sort", [InferTypeOpAdaptor, DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops"]>]> {
  let description = [{
    Sorts along `dimension` by the first input and permutes the others with it. NaN counts as the largest value, -0 equals
    0. Without `is_stable` the order of equal keys is unspecified. (C1) At least one input. (C2) Inputs have one shape.
    (C3) `dimension` is one of theirs.
  }];
  let arguments = (ins Variadic<Tet_Tensor>:$inputs, Tet_I64Attr:$dimension, Tet_SortDirectionAttr:$direction,
                       BoolAttr:$is_stable);
  let results = (outs Variadic<Tet_Tensor>:$results);
  let assemblyFormat = [{
    $direction `(` $inputs `)` `,` `dim` `=` $dimension `,` `stable` `=` $is_stable attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===-- Control flow ---------------------------------------------------------------------------------------------===//

def Tet_IfOp : Tet_Op<"if", [RecursiveMemoryEffects, RecursivelySpeculatable, NoRegionArguments]> {
  let description = [{
    The results of `true_branch` when `pred` holds, else of `false_branch`. Branches may use values from outside.
    (C1) Each branch returns the result types.
  }];
  let arguments = (ins Tet_ScalarBool:$pred);
  let results = (outs Variadic<Tet_Tensor>:$results);
  let regions = (region SizedRegion<1>:$true_branch, SizedRegion<1>:$false_branch);
  let assemblyFormat = [{
    $pred attr-dict `:` functional-type(operands, results) $true_branch `else` $false_branch
  }];
  let hasRegionVerifier = 1;
}

def Tet_WhileOp : Tet_Op<"while", [RecursiveMemoryEffects, InferTypeOpAdaptor]> {
  let description = [{
    Starting from `operands`, replaces the values by those that `body` returns while `cond` returns true. Both regions
    take the values as arguments and may use values from outside. (C1) Operands, results, the arguments of both regions
    and what `body` returns have the same types. (C2) `cond` returns one 0-D i1.
  }];
  let arguments = (ins Variadic<Tet_Tensor>:$operands);
  let results = (outs Variadic<Tet_Tensor>:$results);
  let regions = (region SizedRegion<1>:$cond, SizedRegion<1>:$body);
  let assemblyFormat = "`(` $operands `)` attr-dict `:` type($operands) $cond `do` $body";
  let hasRegionVerifier = 1;
}

//===-- Structure ------------------------------------------------------------------------------------------------===//

def Tet_CompositeOp : Tet_Op<"composite", [IsolatedFromAbove, Pure, DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops", "getBytesMoved"]>]> {
  let description = [{
    A named composition of primitives: the region is its whole meaning, name and attributes only tell what it is, so
    that a code generator may have a better way and everybody else may inline it. (C1) The region's arguments have
    the inputs' types. (C2) It returns the result types.
  }];
  let arguments = (ins StrAttr:$name, Variadic<Tet_Tensor>:$inputs,
                       DefaultValuedAttr<DictionaryAttr, "{}">:$composite_attributes);
  let results = (outs Variadic<Tet_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `(` $inputs `)` (`with` $composite_attributes^)? attr-dict `:` functional-type(operands, results) $body
  }];
  let hasRegionVerifier = 1;
}

def Tet_TaskOp : Tet_Op<"task", [IsolatedFromAbove, Pure]> {
  let description = [{
    A fused group as one pure function, written in upstream dialects only (linalg, tensor, arith, math, scf): the
    unit that a code generator compiles and the plan places. (C1) Region arguments and yielded values have the storage
    types of inputs and results (graph/types.h): floats and signed integers as they are, i1 and i4 in an i8, unsigned
    integers signless, 8-bit floats as the i8 of their bits. (C2) The region holds only ops of those dialects.
  }];
  let arguments = (ins StrAttr:$name, Variadic<Tet_Tensor>:$inputs, OptionalAttr<StrAttr>:$root,
                       OptionalAttr<StrAttr>:$composite);
  let results = (outs Variadic<Tet_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name `(` $inputs `)` attr-dict `:` functional-type(operands, results) $body";
  let hasRegionVerifier = 1;
}

def Tet_ReturnOp : Tet_Op<"return", [Pure, ReturnLike, Terminator, ParentOneOf<["CompositeOp", "IfOp", "WhileOp"]>]> {
  let description = "Ends a region of if, while or composite with its values.";
  let arguments = (ins Variadic<Tet_Tensor>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

def Tet_YieldOp : Tet_Op<"yield", [Pure, ReturnLike, Terminator, HasParent<"TaskOp">]> {
  let description = "Ends the region of a task with its values, in storage types.";
  let arguments = (ins Variadic<AnyRankedTensor>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

#endif  // TETRARCH_GRAPH_TET_OPS_TD
