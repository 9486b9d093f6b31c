// The `tet` dialect: its types, enumerations, traits and the classes that a row of tet_ops.td derives from.
#ifndef TETRARCH_GRAPH_TET_BASE_TD
#define TETRARCH_GRAPH_TET_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tet_Dialect : Dialect {
  let name = "tet";
  let cppNamespace = "::tetrarch::tet";
  let summary = "Tensor programs as pure functions of statically shaped tensors";
  let description = [{
    Names and semantics are StableHLO's, where StableHLO has the op, with these deviations, each a restriction that
    makes passes simpler:

    - Shapes are static. Elementwise ops, `select` and `clamp` included, take operands of one shape.
    - `reduce`, `reduce_window`, `cumulative`, `scatter` and `sort` name their computation by an enumeration and have
      no region. A reduction starts from the identity of its kind: 0, 1, the lowest or the highest value (infinities
      for floats that have them), all ones, zeros.
    - Every attribute is spelled out; there are no optional dimension numbers.

    Floating-point arithmetic is IEEE 754. The result of an op on a type narrower than f64 is the exact result
    rounded once, up to the implementation's stated tolerance. Integers wrap in two's complement.

    An op's constraints are numbered (C1), (C2), … in its description; the verifier's messages and the tests carry
    the same labels.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

//===-- Types ----------------------------------------------------------------------------------------------------===//

class Tet_ElementTypes<list<Type> types> {
  list<Type> types_ = types;
}
defvar floats = Tet_ElementTypes<[F64, F32, F16, BF16, F8E4M3FN, F8E5M2]>.types_;
defvar signedInts = Tet_ElementTypes<[I<4>, I8, I16, I32, I64]>.types_;
defvar unsignedInts = Tet_ElementTypes<[UI8, UI16, UI32, UI64]>.types_;
defvar ints = !listconcat(signedInts, unsignedInts);

// Never more elements than a 62-bit number counts, so that no arithmetic on counts overflows later.
def Tet_CountablePred : CPred<"::tetrarch::tet::isCountable(::llvm::cast<::mlir::RankedTensorType>($_self))">;
class Tet_TensorOf<list<Type> types, string summary>
    : RankedTensorOf<types, [HasStaticShapePred, Tet_CountablePred], summary>;
def Tet_FloatTensor : Tet_TensorOf<floats, "statically shaped float tensor">;
def Tet_IntTensor : Tet_TensorOf<ints, "statically shaped integer tensor">;
def Tet_BoolTensor : Tet_TensorOf<[I1], "statically shaped i1 tensor">;
def Tet_NumberTensor : Tet_TensorOf<!listconcat(floats, ints), "statically shaped number tensor">;
def Tet_SignedTensor : Tet_TensorOf<!listconcat(floats, signedInts), "statically shaped signed tensor">;
def Tet_BitsTensor : Tet_TensorOf<!listconcat(ints, [I1]), "statically shaped integer or i1 tensor">;
def Tet_Tensor : Tet_TensorOf<!listconcat(floats, ints, [I1]), "statically shaped tensor">;
def Tet_ScalarInt : ConfinedType<Tet_IntTensor, [HasAnyRankOfPred<[0]>], "0-D integer tensor",
                                 "::mlir::RankedTensorType">;
def Tet_ScalarBool : ConfinedType<Tet_BoolTensor, [HasAnyRankOfPred<[0]>], "0-D i1 tensor",
                                  "::mlir::RankedTensorType">;

//===-- Enumerations ---------------------------------------------------------------------------------------------===//

class Tet_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::tetrarch::tet";
  let genSpecializedAttr = 0;
}

def Tet_ComparisonDirection : Tet_Enum<"ComparisonDirection", "how two elements are compared", [
  I32EnumAttrCase<"EQ", 0>, I32EnumAttrCase<"NE", 1>, I32EnumAttrCase<"GE", 2>,
  I32EnumAttrCase<"GT", 3>, I32EnumAttrCase<"LE", 4>, I32EnumAttrCase<"LT", 5>]>;
def Tet_ComparisonDirectionAttr : EnumAttr<Tet_Dialect, Tet_ComparisonDirection, "comparison_direction">;

def Tet_ReductionKind : Tet_Enum<"ReductionKind", "how elements that meet are combined", [
  I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Multiply", 1, "multiply">,
  I32EnumAttrCase<"Maximum", 2, "maximum">, I32EnumAttrCase<"Minimum", 3, "minimum">,
  I32EnumAttrCase<"And", 4, "and">, I32EnumAttrCase<"Or", 5, "or">, I32EnumAttrCase<"Xor", 6, "xor">,
  I32EnumAttrCase<"Assign", 7, "assign">]>;
def Tet_ReductionKindAttr : EnumAttr<Tet_Dialect, Tet_ReductionKind, "reduction_kind">;

def Tet_SortDirection : Tet_Enum<"SortDirection", "order of a sort", [
  I32EnumAttrCase<"Ascending", 0, "ascending">, I32EnumAttrCase<"Descending", 1, "descending">]>;
def Tet_SortDirectionAttr : EnumAttr<Tet_Dialect, Tet_SortDirection, "sort_direction">;

// A dimension number or count; its accessor is int64_t.
def Tet_I64Attr : TypedSignlessIntegerAttrBase<I64, "int64_t", "64-bit signless integer attribute">;

//===-- Traits and interfaces ------------------------------------------------------------------------------------===//

class Tet_Trait<string name> : NativeOpTrait<name> {
  let cppNamespace = "::tetrarch::tet";
}
// Element i of the result depends on element i of each operand only; all have one shape.
def Tet_Elementwise : Tet_Trait<"Elementwise">;
def Tet_ElementwiseUnary : Tet_Trait<"ElementwiseUnary">;
def Tet_ElementwiseBinary : Tet_Trait<"ElementwiseBinary">;
// f(f(x, y), z) = f(x, f(y, z)) in exact arithmetic: the op is a ReductionKind too.
def Tet_Associative : Tet_Trait<"Associative">;
// Elements are moved, never changed.
def Tet_DataMovement : Tet_Trait<"DataMovement">;

class SameTypes<list<string> names> : AllTypesMatch<names> {
  let summary = "all of {" # !interleave(names, ", ") # "} have same type (C1)";
}
class SameShapes<list<string> names> : AllShapesMatch<names> {
  let summary = "all of {" # !interleave(names, ", ") # "} have same shape (C1)";
}

def Tet_CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::tetrarch::tet";
  let description = [{
    What an op costs wherever it runs, as a model for the roofline estimate of a task: never a measurement.
  }];
  let methods = [
    InterfaceMethod<[{
      Arithmetic operations: an addition, a multiplication and a comparison count 1 each, a division or square root
      4, a transcendental function 10.
    }], "int64_t", "getFlops", (ins), "", "return 0;">,
    InterfaceMethod<[{
      Bytes of storage read and written when every operand is read once and every result written once.
    }], "int64_t", "getBytesMoved", (ins), "", "return operandAndResultBytes($_op);">,
  ];
}

//===-- Classes of rows ------------------------------------------------------------------------------------------===//

class Tet_Op<string mnemonic, list<Trait> traits = []> : Op<Tet_Dialect, mnemonic, traits>;

// A pure op that states its cost: all but control flow and terminators.
class Tet_PureOp<string mnemonic, list<Trait> traits = []>
    : Tet_Op<mnemonic, !listconcat(traits, [Pure, Tet_CostOpInterface])>;

// `flops` an element of the result.
class Tet_ElementwiseOp<string mnemonic, int flops, string semantics, list<Trait> traits>
    : Tet_PureOp<mnemonic, !listconcat(traits, [SameOperandsAndResultShape, Tet_Elementwise])> {
  let description = semantics # " (C1) Operands and result agree in shape, and in element type where the op keeps it.";
  let extraClassDeclaration = "int64_t getFlops() { return " # flops # " * getType().getNumElements(); }";
}

class Tet_UnaryOp<string mnemonic, Type type, int flops, string semantics, list<Trait> traits = []>
    : Tet_ElementwiseOp<mnemonic, flops, semantics,
                        !listconcat([SameTypes<["operand", "result"]>, Tet_ElementwiseUnary], traits)> {
  let arguments = (ins type:$operand);
  let results = (outs type:$result);
  let assemblyFormat = "$operand attr-dict `:` type($result)";
}

class Tet_BinaryOp<string mnemonic, Type type, int flops, string semantics, list<Trait> traits = []>
    : Tet_ElementwiseOp<mnemonic, flops, semantics,
                        !listconcat([SameTypes<["lhs", "rhs", "result"]>, Tet_ElementwiseBinary], traits)> {
  let arguments = (ins type:$lhs, type:$rhs);
  let results = (outs type:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

// A pure op whose one result type follows from its operands and attributes by the op's `shapeRule`, which checks the
// numbered constraints as it goes. Inference never fails, so that a builder never aborts on bad input: where the rule
// finds an error the builder gets a placeholder type, and the verifier reports.
class Tet_InferredOp<string mnemonic, list<Trait> traits = []>
    : Tet_PureOp<mnemonic, !listconcat(traits, [InferTypeOpAdaptor])> {
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static ::mlir::FailureOr<::mlir::RankedTensorType> shapeRule(ErrorEmitter emitError, Adaptor op);
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() { return verifyByShapeRule(*this); }
    ::llvm::LogicalResult $cppClass::inferReturnTypes(::mlir::MLIRContext*, std::optional<::mlir::Location>,
                                                      Adaptor adaptor, ::llvm::SmallVectorImpl<::mlir::Type>& types) {
      return inferByShapeRule<$cppClass>(adaptor, types);
    }
  }];
}

// The same, but the caller may ask for another element type than the first operand's (i8 x i8 -> i32).
class Tet_ContractionOp<string mnemonic>
    : Tet_PureOp<mnemonic, [InferTypeOpAdaptorWithIsCompatible,
                            DeclareOpInterfaceMethods<Tet_CostOpInterface, ["getFlops"]>]> {
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static ::mlir::FailureOr<::mlir::RankedTensorType> shapeRule(ErrorEmitter emitError, Adaptor op);
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() { return verifyContraction(*this); }
    ::llvm::LogicalResult $cppClass::inferReturnTypes(::mlir::MLIRContext*, std::optional<::mlir::Location>,
                                                      Adaptor adaptor, ::llvm::SmallVectorImpl<::mlir::Type>& types) {
      return inferByShapeRule<$cppClass>(adaptor, types);
    }
    bool $cppClass::isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return sameShapes(inferred, actual);
    }
  }];
}

#endif  // TETRARCH_GRAPH_TET_BASE_TD
