// The dialect `flow`: a kernel for an FPGA as a network of stages. It says what abi/fpga_program.h says, as ops, so that
// upstream's patterns work on what a stage computes: bodies are arith and math on scalars. rtl/fpga/README.md has the
// meaning.
#ifndef TETRARCH_COMPILE_TARGET_FPGA_FLOW_TD
#define TETRARCH_COMPILE_TARGET_FPGA_FLOW_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferIntRangeInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Pass/PassBase.td"

def Flow_Dialect : Dialect {
  let name = "flow";
  let cppNamespace = "::tetrarch::flow";
  let summary = "Kernels for FPGAs: stages that streams and memories join";
  let useDefaultTypePrinterParser = 1;
}

//===-- Types ----------------------------------------------------------------------------------------------------===//

class Flow_Type<string name, string keyword, string text> : TypeDef<Flow_Dialect, name> {
  let mnemonic = keyword;
  let summary = text;
}
def Flow_Stream : Flow_Type<"Stream", "stream", "a FIFO of beats of several elements"> {
  let parameters = (ins "int64_t":$lanes, "::mlir::Type":$element);
  let assemblyFormat = "`<` $lanes `,` $element `>`";
}
def Flow_Memory : Flow_Type<"Memory", "memory", "on-chip words of several elements"> {
  let parameters = (ins "int64_t":$depth, "int64_t":$lanes, "::mlir::Type":$element);
  let assemblyFormat = "`<` $depth `,` $lanes `,` $element `>`";
}
def Flow_End : Flow_Type<"End", "end", "the end of a stage, for which others wait">;

def Flow_Scalar : AnyTypeOf<[AnySignlessInteger, AnyFloat], "integer or float">;
// [low, high) for each loop, one pair after the other; absent: everywhere.
def Flow_Box : OptionalAttr<DenseI64ArrayAttr>;

//===-- The network ----------------------------------------------------------------------------------------------===//

class Flow_Op<string mnemonic, list<Trait> traits = []> : Op<Flow_Dialect, mnemonic, traits>;

def Flow_KernelOp : Flow_Op<"kernel", [IsolatedFromAbove, Symbol, NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "One unit of a task";
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$buffers, DenseI64ArrayAttr:$units);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `units` $units `buffers` $buffers $body attr-dict";
}

def Flow_StreamOp : Flow_Op<"stream"> {
  let summary = "A FIFO with one writer and one reader";
  let arguments = (ins I64Attr:$depth);
  let results = (outs Flow_Stream:$stream);
  let assemblyFormat = "$depth attr-dict `:` type($stream)";
  let hasVerifier = 1;
}

def Flow_PortOp : Flow_Op<"port"> {
  let summary = "A tensor's way in or out, in the order of the loops";
  let arguments = (ins Flow_Stream:$stream, UnitAttr:$is_output, I64Attr:$buffer, I64Attr:$storage_bytes, I64Attr:$offset,
                       DenseI64ArrayAttr:$unit_strides, DenseI64ArrayAttr:$extents, DenseI64ArrayAttr:$strides);
  let assemblyFormat = [{
    (`out` $is_output^):(`in`)? $stream `buffer` $buffer `bytes` $storage_bytes `at` $offset `units` $unit_strides
    `loops` $extents `by` $strides attr-dict `:` type($stream)
  }];
  let hasVerifier = 1;
}

def Flow_MemoryOp : Flow_Op<"memory"> {
  let summary = "A memory; with data a ROM";
  let arguments = (ins OptionalAttr<ElementsAttr>:$data);
  let results = (outs Flow_Memory:$memory);
  let assemblyFormat = "($data^)? attr-dict `:` type($memory)";
  let hasVerifier = 1;
}

class Flow_StageOp<string mnemonic, list<Trait> traits = []> : Flow_Op<mnemonic, traits> {
  let results = (outs Flow_End:$end);
}

def Flow_NestOp : Flow_StageOp<"nest", [NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "A loop nest: an iteration every interval cycles";
  let arguments = (ins StrAttr:$name, DenseI64ArrayAttr:$extents, DenseBoolArrayAttr:$reductions, Variadic<Flow_End>:$after);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name `loops` $extents `reductions` $reductions (`after` $after^)? $body attr-dict";
  let hasVerifier = 1;
}

def Flow_MachineOp : Flow_StageOp<"machine"> {
  let summary = "Sequential code: blocks that end in cf branches or flow.stop";
  let arguments = (ins StrAttr:$name, Variadic<Flow_End>:$after);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = "$name (`after` $after^)? $body attr-dict";
}
def Flow_StopOp : Flow_Op<"stop", [Terminator, HasParent<"MachineOp">]> {
  let summary = "Ends a machine";
  let assemblyFormat = "attr-dict";
}

//===-- What an iteration does -----------------------------------------------------------------------------------===//

def Flow_AffineOp : Flow_Op<"affine", [Pure, HasParent<"NestOp">,
    DeclareOpInterfaceMethods<InferIntRangeInterface, ["inferResultRanges"]>]> {
  let summary = "offset + sum of index * stride";
  let arguments = (ins I64Attr:$offset, DenseI64ArrayAttr:$strides);
  let results = (outs AnySignlessInteger:$value);
  let assemblyFormat = "$offset `by` $strides attr-dict `:` type($value)";
  let hasVerifier = 1;
}
def Flow_InsideOp : Flow_Op<"inside", [Pure, HasParent<"NestOp">]> {
  let summary = "Whether the indices lie in the box";
  let arguments = (ins DenseI64ArrayAttr:$box);
  let results = (outs I1:$value);
  let assemblyFormat = "$box attr-dict";
  let hasVerifier = 1;
}
// Pure, for pops of one stream in one box share the beat: see README.md. A stream that nobody pops is dropped with its port.
def Flow_PopOp : Flow_Op<"pop", [Pure, HasParent<"NestOp">]> {
  let summary = "A lane of the beat that this iteration takes; 0 outside of the box";
  let arguments = (ins Flow_Stream:$stream, I64Attr:$lane, Flow_Box:$box);
  let results = (outs Flow_Scalar:$value);
  let assemblyFormat = "$stream `[` $lane `]` (`inside` $box^)? attr-dict `:` type($stream) `->` type($value)";
  let hasVerifier = 1;
}
def Flow_LoadOp : Flow_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "A lane of a word";
  let arguments = (ins Flow_Memory:$memory, AnySignlessInteger:$address, I64Attr:$lane);
  let results = (outs Flow_Scalar:$value);
  let assemblyFormat = "$memory `[` $address `,` $lane `]` attr-dict `:` type($memory) `,` type($address) `->` type($value)";
  let hasVerifier = 1;
}
def Flow_AccOp : Flow_Op<"acc", [HasParent<"NestOp">, AllTypesMatch<["init", "value"]>]> {
  let summary = "What a cell holds; in its first step the init";
  let arguments = (ins Flow_Scalar:$init);
  let results = (outs Flow_Scalar:$value);
  let assemblyFormat = "$init attr-dict `:` type($value)";
}
def Flow_UpdateOp : Flow_Op<"update", [HasParent<"NestOp">, AllTypesMatch<["acc", "value"]>]> {
  let summary = "What the cell holds afterwards";
  let arguments = (ins Flow_Scalar:$acc, Flow_Scalar:$value);
  let assemblyFormat = "$acc `,` $value attr-dict `:` type($value)";
  let hasVerifier = 1;
}
def Flow_DelayOp : Flow_Op<"delay", [Pure, HasParent<"NestOp">, AllTypesMatch<["of", "value"]>]> {
  let summary = "The value of some iterations before";
  let arguments = (ins Flow_Scalar:$of, ConfinedAttr<I64Attr, [IntPositive]>:$iterations);
  let results = (outs Flow_Scalar:$value);
  let assemblyFormat = "$of `by` $iterations attr-dict `:` type($value)";
}
def Flow_PushOp : Flow_Op<"push", [HasParent<"NestOp">]> {
  let summary = "A beat for a stream";
  let arguments = (ins Flow_Stream:$stream, Variadic<Flow_Scalar>:$values, UnitAttr:$last, Flow_Box:$box);
  let assemblyFormat = "$stream `,` $values (`last` $last^)? (`inside` $box^)? attr-dict `:` type($stream) `,` type($values)";
  let hasVerifier = 1;
}
def Flow_StoreOp : Flow_Op<"store", [AttrSizedOperandSegments]> {
  let summary = "A word for a memory";
  let arguments = (ins Flow_Memory:$memory, AnySignlessInteger:$address, Variadic<Flow_Scalar>:$values, Optional<I1>:$enable,
                       UnitAttr:$last, Flow_Box:$box);
  let assemblyFormat = [{
    $memory `[` $address `]` `,` $values (`if` $enable^)? (`last` $last^)? (`inside` $box^)? attr-dict
    `:` type($memory) `,` type($address) `,` type($values)
  }];
  let hasVerifier = 1;
}

//===-- Passes ---------------------------------------------------------------------------------------------------===//

def ExpandMathPass : Pass<"flow-expand-math", "KernelOp"> {
  let summary = "math ops, and what no operator computes, as arith that operators compute";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

#endif  // TETRARCH_COMPILE_TARGET_FPGA_FLOW_TD
