#include "tetrarch/compile/target/npu/read_sums.h"

#include "tetrarch/compile/target/npu/read_float.h"
#include "tetrarch/compile/target/npu/vector_emit.h"

namespace tetrarch::npu {
namespace {

using compile::TileAccess;
using compile::TileBuffer;

class Reader {
 public:
  Reader(const compile::TileNestPlan& plan, const compile::TileNest& nest, int group_dim, TaskMemory& memory)
      : plan_(plan), nest_(nest), out_(nest.outputs.front()), group_dim_(group_dim), memory_(memory) {
    made_.program.floats = true;
    made_.program.columns = nest.extents[nest.parallel - 1];
  }

  Result<SumsEpilogue> read(const Config& config) {
    VectorProgram& program = made_.program;
    const compile::TileBody& body = *nest_.epilogue;
    FloatReader reader(program);
    for (unsigned i = 0; i < body.inputs.size(); ++i) {
      mlir::BlockArgument argument = body.block->getArgument(i);
      if (argument.use_empty()) continue;
      if (static_cast<int>(i) == body.acc) {
        reader.bind(argument, program.input(kSumsBuffer, 4, Extent::Element));
      } else {
        TET_ASSIGN_OR_RETURN(const int node, inputOf(body.inputs[i], argument.getType()));
        reader.bind(argument, node);
      }
    }
    mlir::Value yielded = body.block->getTerminator()->getOperand(0);
    TET_ASSIGN_OR_RETURN(int node, reader.read(yielded));
    const int64_t bytes = yielded.getType().getIntOrFloatBitWidth() / 8;
    if (program.nodes[node].extent != Extent::Element)
      return propagate(unimplemented("a result without its sums"));
    if (program.nodes[node].narrow != (bytes == 2)) node = program.move(node, bytes == 2);
    program.results.push_back({node, bytes});
    program.foldMoves();
    made_.constants = memory_.addConstant(constantsOf(program, config.side));
    return std::move(made_);
  }

 private:
  Result<int> inputOf(const compile::TileInput& input, mlir::Type type) {
    VectorProgram& program = made_.program;
    if (const auto* number = std::get_if<mlir::TypedAttr>(&input)) {
      if (auto bits = floatConstant(*number)) return program.constant(*bits);
    }
    const auto* access = std::get_if<TileAccess>(&input);
    if (!access || (!type.isF32() && !type.isBF16()) || access->panel_dim >= 0 ||
        plan_.buffers[access->buffer].kind != TileBuffer::Kind::kOperand) {
      return propagate(unimplemented("what is computed with the sums is no tensor of bf16 or f32"));
    }
    const bool is_column = isColumn(*access);
    if (!is_column && access->strides != out_.strides)
      return propagate(unimplemented("a tensor is read in another layout than the result of sums"));
    const int64_t bytes = type.getIntOrFloatBitWidth() / 8;
    const int64_t offset = access->offset - (is_column ? 0 : out_.offset);
    made_.operands.push_back(memory_.operand(plan_.buffers[access->buffer].index) + offset * bytes);
    return program.input(static_cast<int>(made_.operands.size()) - 1, bytes,
                         is_column ? Extent::Column : Extent::Element);
  }

  // Whether it varies along the columns alone, those of one group behind those of another.
  bool isColumn(const TileAccess& access) const {
    const unsigned column = nest_.parallel - 1;
    for (unsigned d = 0; d < nest_.parallel; ++d) {
      const bool is_group = static_cast<int>(d) == group_dim_;
      const int64_t expected = d == column ? 1 : is_group ? nest_.extents[column] : 0;
      if (access.strides[d] != expected && nest_.extents[d] != 1) return false;
    }
    return true;
  }

  const compile::TileNestPlan& plan_;
  const compile::TileNest& nest_;
  const TileAccess& out_;
  int group_dim_;
  TaskMemory& memory_;
  SumsEpilogue made_;
};

}  // namespace

Result<SumsEpilogue> readSumsEpilogue(const compile::TileNestPlan& plan, const compile::TileNest& nest,
                                      int group_dim, const Config& config, TaskMemory& memory) {
  return Reader(plan, nest, group_dim, memory).read(config);
}

}  // namespace tetrarch::npu
