#include "tetrarch/compile/target/cpu/lowering.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/BufferizationToMemRef/BufferizationToMemRef.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "tetrarch/compile/target/buffers.h"
#include "tetrarch/compile/target/cpu/math_approximation.h"

namespace tetrarch::compile::cpu {
namespace {

using llvm::SmallVector;
using mlir::Value;

// The function body(buffers…, begin, end, scratch) on memrefs that lower to bare pointers. Results alias
// nothing.
mlir::func::FuncOp makeBody(mlir::OpBuilder& b, mlir::Location loc, mlir::Block& task,
                            llvm::ArrayRef<mlir::Type> memrefs, int64_t scratch_bytes) {
  SmallVector<mlir::Type> inputs(memrefs);
  inputs.append(2, b.getIndexType());
  if (scratch_bytes > 0) inputs.push_back(mlir::MemRefType::get({scratch_bytes}, b.getI8Type()));
  auto function = mlir::func::FuncOp::create(b, loc, "body", b.getFunctionType(inputs, {}));
  for (unsigned i = task.getNumArguments(); i < memrefs.size(); ++i) {
    function.setArgAttr(i, mlir::LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr());
  }
  function.addEntryBlock();
  return function;
}

void addLlvmLowering(mlir::PassManager& pm) {
  // The canonicaliser looks at a whole loop again for each op of it that changes, so equal ones go before.
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createLoopInvariantCodeMotionPass());
  pm.addPass(createMathApproximationPass());
  pm.addPass(mlir::arith::createArithExpandOpsPass({.includeBf16 = true}));
  pm.addPass(mlir::memref::createExpandStridedMetadataPass());
  pm.addPass(mlir::createLowerAffinePass());
  pm.addPass(mlir::createSCFToControlFlowPass());
  pm.addPass(mlir::createConvertVectorToLLVMPass());
  pm.addPass(mlir::createConvertMathToLLVMPass());
  pm.addPass(mlir::createConvertMathToLibmPass());
  pm.addPass(mlir::createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(mlir::createConvertFuncToLLVMPass({.useBarePtrCallConv = true}));
  pm.addPass(mlir::createConvertControlFlowToLLVMPass());
  pm.addPass(mlir::createConvertIndexToLLVMPass());
  pm.addPass(mlir::createArithToLLVMConversionPass());
  pm.addPass(mlir::createUBToLLVMConversionPass());
  pm.addPass(mlir::createReconcileUnrealizedCastsPass());
}

// bf16 as integers: where a processor has no bf16, LLVM would keep values as f32 and call a library to narrow
// them again. The conversions themselves are integer arithmetic by now, the rest only moves.
void moveBfloatsAsIntegers(mlir::ModuleOp module) {
  auto bits = mlir::IntegerType::get(module.getContext(), 16);
  mlir::AttrTypeReplacer replacer;
  replacer.addReplacement([&](mlir::BFloat16Type) -> mlir::Type { return bits; });
  replacer.addReplacement([&](mlir::FloatAttr value) -> std::optional<mlir::Attribute> {
    if (!value.getType().isBF16()) return std::nullopt;
    return mlir::IntegerAttr::get(bits, value.getValue().bitcastToAPInt());
  });
  replacer.addReplacement([&](mlir::DenseElementsAttr values) -> std::optional<mlir::Attribute> {
    if (!values.getElementType().isBF16()) return std::nullopt;
    return values.bitcast(bits);
  });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

// The exported function: unpacks the array of buffers and calls the body.
void addEntryPoint(llvm::Module& module, const std::string& symbol, size_t buffers, bool scratch) {
  llvm::Function* body = module.getFunction("body");
  body->setLinkage(llvm::GlobalValue::InternalLinkage);
  llvm::LLVMContext& context = module.getContext();
  auto* pointer = llvm::PointerType::get(context, 0);
  auto* i64 = llvm::Type::getInt64Ty(context);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, i64, i64, pointer}, false);
  auto* entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  llvm::IRBuilder<> b(llvm::BasicBlock::Create(context, "entry", entry));
  SmallVector<llvm::Value*> arguments;
  for (size_t i = 0; i < buffers; ++i) {
    arguments.push_back(b.CreateLoad(pointer, b.CreateConstGEP1_64(pointer, entry->getArg(0), i)));
  }
  arguments.append({entry->getArg(1), entry->getArg(2)});
  if (scratch) arguments.push_back(entry->getArg(3));
  b.CreateCall(body, arguments);
  b.CreateRetVoid();
}

Result<LoweredKernel> toLlvm(mlir::ModuleOp module, const Task& task, const std::string& symbol,
                             size_t buffers, bool scratch, mlir::PassManager& pm, Complaints& complaints,
                             llvm::LLVMContext& context) {
  addLlvmLowering(pm);
  // Verified once, at the end: between passes it would take a tenth of all compile time.
  pm.enableVerifier(false);
  if (mlir::failed(pm.run(module)) || mlir::failed(mlir::verify(module))) {
    return internalError("task '{}' could not be lowered to LLVM: {}", task.name, complaints.text());
  }
  moveBfloatsAsIntegers(module);
  LoweredKernel kernel;
  kernel.module = mlir::translateModuleToLLVMIR(module, context, symbol);
  if (!kernel.module)
    return internalError("task '{}' could not be translated to LLVM: {}", task.name, complaints.text());
  addEntryPoint(*kernel.module, symbol, buffers, scratch);
  kernel.entry.symbol = symbol;
  kernel.buffers = buffers;
  return kernel;
}

// for unit in [begin, end): the unit, told whether the scratch still holds the unit before it.
Status emitRange(mlir::OpBuilder& b, mlir::Location loc, const TilePlan& plan, mlir::func::FuncOp function) {
  const unsigned buffers = function.getNumArguments() - (plan.scratch_bytes > 0 ? 3 : 2);
  Value begin = function.getArgument(buffers), end = function.getArgument(buffers + 1);
  Value scratch = plan.scratch_bytes > 0 ? function.getArgument(buffers + 2) : Value();
  Value one = mlir::arith::ConstantIndexOp::create(b, loc, 1);
  auto loop = mlir::scf::ForOp::create(b, loc, begin, end, one);
  mlir::OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value unit = loop.getInductionVar();
  Value fresh = mlir::arith::CmpIOp::create(b, loc, mlir::arith::CmpIPredicate::eq, unit, begin);
  return emitUnit(b, loc, plan, unit, function.getArguments().take_front(buffers), scratch, {}, fresh);
}

}  // namespace

Result<LoweredKernel> lowerTiled(const Task& task, const TilePlan& plan, const std::string& symbol,
                                 llvm::LLVMContext& context) {
  mlir::MLIRContext* mlir_context = task.block->getParentOp()->getContext();
  Complaints complaints(mlir_context);
  mlir::Location loc = mlir::UnknownLoc::get(mlir_context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  mlir::OpBuilder b = mlir::OpBuilder::atBlockEnd(module->getBody());
  SmallVector<mlir::Type> memrefs;
  for (mlir::MemRefType type : bufferTypes(*task.block)) {
    memrefs.push_back(mlir::MemRefType::get({type.getNumElements()}, type.getElementType()));
  }
  auto function = makeBody(b, loc, *task.block, memrefs, plan.scratch_bytes);
  b.setInsertionPointToStart(&function.front());
  TET_RETURN_IF_ERROR(emitRange(b, loc, plan, function));
  b.setInsertionPointToEnd(&function.front());
  mlir::func::ReturnOp::create(b, loc);
  mlir::PassManager pm(mlir_context);
  TET_ASSIGN_OR_RETURN(LoweredKernel kernel, toLlvm(*module, task, symbol, memrefs.size(),
                                                    plan.scratch_bytes > 0, pm, complaints, context));
  kernel.entry.units = plan.units;
  kernel.entry.granularity = plan.granularity;
  kernel.entry.scratch_bytes = plan.scratch_bytes;
  kernel.entry.rows = plan.rows;
  kernel.entry.row_tile = plan.row_tile;
  return kernel;
}

Result<LoweredKernel> lowerGeneral(const Task& task, const std::string& symbol, llvm::LLVMContext& context) {
  mlir::MLIRContext* mlir_context = task.block->getParentOp()->getContext();
  Complaints complaints(mlir_context);
  mlir::Location loc = mlir::UnknownLoc::get(mlir_context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  mlir::OpBuilder b = mlir::OpBuilder::atBlockEnd(module->getBody());
  const auto types = bufferTypes(*task.block);
  const SmallVector<mlir::Type> memrefs(types.begin(), types.end());
  auto function = makeBody(b, loc, *task.block, memrefs, 0);
  b.setInsertionPointToStart(&function.front());
  cloneOntoBuffers(b, loc, *task.block, function.getArguments().take_front(memrefs.size()));
  mlir::func::ReturnOp::create(b, loc);
  mlir::PassManager pm(mlir_context);
  addBufferization(pm);
  mlir::bufferization::buildBufferDeallocationPipeline(pm);
  // It calls a function where it only knows at run time what to free (after an if, say), whose arguments have
  // no bare pointers.
  pm.addPass(mlir::createInlinerPass());
  pm.addPass(mlir::createSymbolDCEPass());
  pm.addPass(mlir::createConvertBufferizationToMemRefPass());
  // LLVM's lowering of memref.copy calls into a runtime library when strides differ.
  pm.addPass(createCopyToLinalgPass());
  pm.addNestedPass<mlir::func::FuncOp>(mlir::createConvertLinalgToLoopsPass());
  TET_ASSIGN_OR_RETURN(LoweredKernel kernel,
                       toLlvm(*module, task, symbol, memrefs.size(), false, pm, complaints, context));
  return kernel;
}

}  // namespace tetrarch::compile::cpu
