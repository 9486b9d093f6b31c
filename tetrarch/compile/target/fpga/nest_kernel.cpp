// Strided nests as stages.
#include "tetrarch/compile/target/fpga/nest_kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tetrarch/compile/target/fpga/clone_body.h"

namespace tetrarch::fpga {

using compile::TileAccess;
using compile::TileBuffer;
using compile::TileInput;
using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Value;
using Role = Dim::Role;

SmallVector<Value> NestKernel::body(const compile::TileBody& body, const StageLoops& loops, size_t which,
                                    ArrayRef<Source> inputs, ArrayRef<Value> accumulators,
                                    ArrayRef<int64_t> copy) {
  BodyValues values;
  size_t next = 0;
  for (size_t i = 0; i < body.block->getNumArguments(); ++i) {
    const bool is_accumulator = i >= inputs.size() || static_cast<int>(i) == body.acc;
    if (is_accumulator) {
      values.arguments.push_back(next < accumulators.size() ? accumulators[next++] : Value());
    } else {
      values.arguments.push_back(inputs[i] ? inputs[i](copy) : Value());
    }
  }
  auto index = [&](unsigned dim) { return affine(loops.indices[which][dim], loops, copy, b_.getI64Type()); };
  auto extract = [&](mlir::tensor::ExtractOp extract, Value place) -> Value {
    for (const EdgeWindow& edge : edges_) {
      if (auto shifts = edge.shifts.find(extract); shifts != edge.shifts.end())
        return beyondEdges(edge, loops, shifts->second);
    }
    const unsigned operand = mlir::cast<mlir::BlockArgument>(extract.getTensor()).getArgNumber();
    return flow::LoadOp::create(b_, loc_, elementOf(operand), whole(operand).memory, place, 0);
  };
  values.index = index;
  values.extract = extract;
  return cloneBody(b_, *body.block, values);
}

void NestKernel::emit(StageLoops& loops, size_t number) {
  const compile::TileNest& nest = loops.nest;
  after_.clear();
  openWindows(loops);
  SmallVector<Source> inputs, inits, epilogue;
  for (const TileInput& input : nest.body.inputs) inputs.push_back(source(input, loops, When::Each));
  for (const TileInput& init : nest.inits)
    inits.push_back(source(init, loops, nest.reduces() ? When::First : When::Each));
  if (nest.epilogue) {
    for (const TileInput& input : nest.epilogue->inputs) epilogue.push_back(source(input, loops, When::Last));
  }
  for (const compile::TileBody* body : {&nest.body, nest.epilogue ? &*nest.epilogue : nullptr}) {
    if (!body) continue;
    for (auto extract : body->block->getOps<mlir::tensor::ExtractOp>()) {
      if (llvm::any_of(edges_, [&](const EdgeWindow& edge) { return edge.shifts.contains(extract); }))
        continue;
      await(whole(mlir::cast<mlir::BlockArgument>(extract.getTensor()).getArgNumber()));
    }
  }
  SmallVector<int64_t> extents;
  SmallVector<bool> reductions;
  for (const Dim& dim : loops.dims) {
    if (dim.role != Role::Loop) continue;
    extents.push_back(dim.iterations() / dim.stride);
    reductions.push_back(dim.is_reduction);
    if (dim.stride == 1) continue;
    extents.push_back(dim.stride);
    reductions.push_back(false);
  }
  b_.restoreInsertionPoint(network_);
  auto stage = flow::NestOp::create(b_, loc_, flow::EndType::get(b_.getContext()),
                                    fmt::format("nest_{}", number), extents, reductions, after_);
  // What the stage still declares comes before it.
  network_ = {stage->getBlock(), stage->getIterator()};
  b_.setInsertionPointToStart(&stage.getBody().emplaceBlock());
  fillTaps(loops);

  const auto whole_windows = box(loops, When::Each);
  const mlir::DenseI64ArrayAttr where = whole_windows ? b_.getDenseI64ArrayAttr(*whole_windows) : nullptr;
  const bool iterates = llvm::is_contained(reductions, true);
  SmallVector<SmallVector<Value>> results(nest.outputs.size());  // of each output, one a copy
  for (const auto& copy : loops.copies(/*reduction=*/false)) {
    SmallVector<Value> values, cells;
    for (const Source& init : inits) {
      values.push_back(init ? init(copy) : Value());
      if (iterates) values.back() = flow::AccOp::create(b_, loc_, values.back().getType(), values.back());
    }
    cells = values;
    values = reduce(loops, inputs, values, copy);
    if (iterates) {
      for (auto [cell, value] : llvm::zip(cells, values)) flow::UpdateOp::create(b_, loc_, cell, value);
    }
    if (nest.epilogue) values = body(*nest.epilogue, loops, 1, epilogue, values, copy);
    for (auto [list, value] : llvm::zip(results, values)) list.push_back(value);
  }
  for (auto [access, values] : llvm::zip(nest.outputs, results)) {
    if (read_.contains(access.buffer)) {
      OnChip& place = whole(access.buffer);
      for (auto [copy, value] : llvm::zip(loops.copies(false), values)) {
        Value address = affine(access, loops, copy, b_.getI32Type());
        flow::StoreOp::create(b_, loc_, place.memory, address, value, Value(), iterates, where);
      }
      place.written.push_back(stage.getEnd());
    }
    if (plan_.buffers[access.buffer].kind != TileBuffer::Kind::kResult) continue;
    SmallVector<int64_t> beats, strides;
    for (Role role : {Role::Loop, Role::Copy}) {
      for (size_t d = 0; d < loops.dims.size(); ++d) {
        if (loops.dims[d].role != role || loops.dims[d].is_reduction) continue;
        beats.push_back(loops.dims[d].extent);
        strides.push_back(access.strides[d]);
      }
    }
    Value out =
        port(true, access.buffer, values.size(), access.offset, unitStrides(access, loops), beats, strides);
    flow::PushOp::create(b_, loc_, out, values, iterates, where);
  }
  network_ = {stage->getBlock(), stage->getBlock()->end()};
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> NestKernel::build(const Fold& fold) {
  TET_RETURN_IF_ERROR(choose(fold));
  for (const StageLoops& loops : stages_) {
    loops.nest.forEachAccess([&](const TileAccess& access) {
      const auto kind = plan_.buffers[access.buffer].kind;
      const bool is_made_here = kind == TileBuffer::Kind::kTemporary || kind == TileBuffer::Kind::kResult;
      const bool is_output =
          llvm::any_of(loops.nest.outputs, [&](const TileAccess& out) { return &out == &access; });
      if (is_made_here && !is_output) read_.insert(access.buffer);
    });
  }
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(loc_));
  b_.setInsertionPointToStart(module->getBody());
  kernel_ = flow::KernelOp::create(b_, loc_, task_.name, plan_.operands + plan_.results, units_);
  b_.setInsertionPointToStart(&kernel_.getBody().emplaceBlock());
  network_ = b_.saveInsertionPoint();
  for (auto [i, loops] : llvm::enumerate(stages_)) emit(loops, i);
  return module;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> readNestKernel(const compile::Task& task, const Part& part,
                                                         const Fold& fold) {
  TET_ASSIGN_OR_RETURN(compile::TileNestPlan plan, compile::readNests(*task.block));
  return NestKernel(task, part, std::move(plan)).build(fold);
}

}  // namespace tetrarch::fpga
