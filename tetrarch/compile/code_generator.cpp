#include "tetrarch/compile/code_generator.h"

#include <array>

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/AllocationOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferDeallocationOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Operation.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "tetrarch/compile/target/fpga/flow.h"

namespace tetrarch::compile {

#define TARGET(factory) std::unique_ptr<CodeGenerator> factory();
#include "tetrarch/compile/target/targets.def"
#undef TARGET

namespace {

// Writes a block's computation with values numbered in order of definition.
class HashText {
 public:
  std::string of(mlir::Block& block) {
    write(block);
    return std::move(text_);
  }

 private:
  void write(mlir::Block& block) {
    for (mlir::BlockArgument argument : block.getArguments()) define(argument);
    out_ << "\n";
    for (mlir::Operation& op : block) write(op);
  }

  void write(mlir::Operation& op) {
    // Every task ends in a terminator of its own dialect, which says nothing.
    if (depth_ == 0 && op.hasTrait<mlir::OpTrait::IsTerminator>()) {
      out_ << "return";
    } else {
      out_ << op.getName() << op.getAttrDictionary();
    }
    for (mlir::Value operand : op.getOperands()) out_ << " %" << numbers_.lookup(operand);
    for (mlir::Value result : op.getResults()) define(result);
    out_ << "\n";
    ++depth_;
    for (mlir::Region& region : op.getRegions()) {
      out_ << "{";
      for (mlir::Block& block : region) write(block);
      out_ << "}";
    }
    --depth_;
  }

  void define(mlir::Value value) {
    numbers_[value] = numbers_.size();
    out_ << ":" << value.getType();
  }

  std::string text_;
  llvm::raw_string_ostream out_{text_};
  llvm::DenseMap<mlir::Value, size_t> numbers_;
  int depth_ = 0;
};

}  // namespace

uint64_t taskHash(mlir::Block& block) { return llvm::xxh3_64bits(HashText().of(block)); }

std::span<const std::unique_ptr<CodeGenerator>> codeGenerators() {
  static const std::array generators = {
#define TARGET(factory) factory(),
#include "tetrarch/compile/target/targets.def"
#undef TARGET
  };
  return generators;
}

const CodeGenerator* findCodeGenerator(std::string_view name) {
  for (const auto& generator : codeGenerators()) {
    if (generator->name() == name) return generator.get();
  }
  return nullptr;
}

Result<SegmentCode> CodeGenerator::addSegments(std::span<const std::byte> /*blob*/,
                                               std::span<const Segment> /*segments*/) const {
  return propagate(unimplemented("{} fuses no segments", name()));
}

void registerCodegenDialects(mlir::DialectRegistry& registry) {
  registry.insert<mlir::affine::AffineDialect, mlir::arith::ArithDialect,
                  mlir::bufferization::BufferizationDialect, mlir::cf::ControlFlowDialect,
                  mlir::func::FuncDialect, mlir::gpu::GPUDialect, mlir::LLVM::LLVMDialect,
                  mlir::linalg::LinalgDialect, mlir::math::MathDialect, mlir::memref::MemRefDialect,
                  mlir::scf::SCFDialect, mlir::tensor::TensorDialect, mlir::ub::UBDialect,
                  mlir::vector::VectorDialect, flow::FlowDialect>();
  mlir::arith::registerBufferDeallocationOpInterfaceExternalModels(registry);
  mlir::arith::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::cf::registerBufferDeallocationOpInterfaceExternalModels(registry);
  mlir::func::registerInlinerExtension(registry);
  mlir::linalg::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::linalg::registerSubsetOpInterfaceExternalModels(registry);
  mlir::memref::registerAllocationOpInterfaceExternalModels(registry);
  mlir::scf::registerBufferDeallocationOpInterfaceExternalModels(registry);
  mlir::scf::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::tensor::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::tensor::registerInferTypeOpInterfaceExternalModels(registry);
  mlir::tensor::registerSubsetOpInterfaceExternalModels(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
}

}  // namespace tetrarch::compile
