#include "tetrarch/devices/npu/verifier.h"

namespace tetrarch::npu {
namespace {

Status checkRowCount(const Loops& loops) {
  if (rowCount(loops) <= kMaxTransferRows) return {};
  return invalidArgument("its loops make {} rows or more and the limit is {}", rowCount(loops),
                         kMaxTransferRows);
}

}  // namespace

Verifier::Verifier(const Config& config, const Dram& dram)
    : config_(config),
      dram_(&dram),
      races_(config),
      stamps_{std::vector<int64_t>(config.sp_rows), std::vector<int64_t>(config.acc_rows)} {}

Status Verifier::add(const Instruction& instruction) {
  if (auto fault = checkFields(config_, loops_, instruction)) {
    return invalidArgument("{}: {}", causeText(fault->cause), fault->why);
  }
  if (std::holds_alternative<Halt>(instruction)) return {};
  const Tokens& tokens = tokensOf(instruction);
  TET_RETURN_IF_ERROR(races_.begin(queueOf(instruction), tokens));
  TET_RETURN_IF_ERROR(std::visit([this](const auto& i) { return touch(i); }, instruction));
  return races_.end(tokens);
}

Status Verifier::touch(const Halt& /*i*/) { return {}; }
Status Verifier::touch(const Sync& /*i*/) { return {}; }
Status Verifier::touch(const Dim& i) {
  loops_.apply(i);
  return {};
}
template <typename Transfer>
Status Verifier::transfer(const Loops& all, const Transfer& i, bool is_load) {
  const Loops loops = activeLoops(all, i.loops);
  TET_RETURN_IF_ERROR(checkRowCount(loops));
  const ByteRange range = dramRange(i.dram, loops, i.bytes);
  if (!dram_->find(range.begin, range.end - range.begin, !is_load)) {
    return invalidArgument("DRAM bytes {} to {} are not inside one piece of memory that it may {}",
                           range.begin, range.end, is_load ? "read" : "write");
  }
  std::vector<int64_t> rows;
  rows.reserve(rowCount(loops));
  forEachRow(loops, i.dram, i.row, [&](int64_t address, int64_t /*row*/) { rows.push_back(address); });
  TET_RETURN_IF_ERROR(races_.touchDram(range, std::move(rows), i.bytes, !is_load));
  return touchLocal(loops, i.row, is_load);
}

Status Verifier::touch(const Load& i) { return transfer(loops_.load, i, true); }
Status Verifier::touch(const Store& i) { return transfer(loops_.store, i, false); }
Status Verifier::touch(const Fill& i) {
  const Loops loops = activeLoops(loops_.load, i.loops);
  TET_RETURN_IF_ERROR(checkRowCount(loops));
  return touchLocal(loops, i.row, true);
}
Status Verifier::touch(const Matmul& i) {
  if (!i.keep) {
    const int64_t rows = config_.side / (i.ternary ? 4 : 1);
    TET_RETURN_IF_ERROR(races_.readRows({false, i.w_addr, i.w_addr + rows - 1}));
  }
  TET_RETURN_IF_ERROR(readGrid(i.a_addr, i.n1, i.n0, i.s1, i.s0));
  const RowRange sums{true, i.c_addr, i.c_addr + i.n0 * i.n1 - 1};
  if (i.accumulate) TET_RETURN_IF_ERROR(races_.readRows(sums));
  return races_.writeRows(sums);
}
Status Verifier::touch(const Vparam& i) {
  return i.rows ? races_.readRows({true, i.p_addr, i.p_addr + kVparamReads - 1}) : Status();
}
Status Verifier::touch(const Table& i) {
  return races_.readRows({false, i.addr, i.addr + config_.tableRows() - 1});
}
Status Verifier::touch(const Vop& i) {
  const VectorOpInfo& op = *vectorOpInfo(i.op);
  TET_RETURN_IF_ERROR(readGrid(i.a, i.n1, i.n0, i.s1, i.s0));
  if (op.two_operands) {
    TET_RETURN_IF_ERROR(i.broadcast ? readGrid(i.b, 1, 1, 0, 0) : readGrid(i.b, i.n1, i.n0, i.pitch, 1));
  }
  const int64_t written = op.fold ? 1 : i.n0;
  for (int64_t i1 = 0; i1 < i.n1; ++i1) {
    const int64_t first = rowOf(i.d) + i1 * i.pitch;
    TET_RETURN_IF_ERROR(races_.writeRows({isAcc(i.d), first, first + written - 1}));
  }
  const RowRange d = rangeOfD(i);
  const bool meets = d.overlaps(rangeOfA(i)) || (op.two_operands && d.overlaps(rangeOfB(i)));
  return meets ? checkInPlace(i, op) : Status();
}

Status Verifier::readGrid(int64_t local, int64_t n1, int64_t n0, int64_t s1, int64_t s0) {
  const bool in_acc = isAcc(local);
  for (int64_t i1 = 0; i1 < n1; ++i1) {
    int64_t row = rowOf(local) + i1 * s1;
    for (int64_t i0 = 0; i0 < n0; ++i0, row += s0) TET_RETURN_IF_ERROR(races_.readRow(in_acc, row));
  }
  return {};
}

Status Verifier::checkInPlace(const Vop& i, const VectorOpInfo& op) {
  ++stamp_;
  const auto isWritten = [&](int64_t local, int64_t offset) {
    return stamps_[isAcc(local)][rowOf(local) + offset] == stamp_;
  };
  for (int64_t i1 = 0; i1 < i.n1; ++i1) {
    for (int64_t i0 = 0; i0 < i.n0; ++i0) {
      const int64_t of_b = i.broadcast ? 0 : i1 * i.pitch + i0;
      if (isWritten(i.a, i1 * i.s1 + i0 * i.s0) || (op.two_operands && isWritten(i.b, of_b))) {
        return invalidArgument("at row {} of the outer and {} of the inner loop it reads a row that it wrote",
                               i1, i0);
      }
      if (op.fold && i0 + 1 < i.n0) continue;
      stamps_[isAcc(i.d)][rowOf(i.d) + i1 * i.pitch + (op.fold ? 0 : i0)] = stamp_;
    }
  }
  return {};
}

Status Verifier::touchLocal(const Loops& loops, int64_t local, bool write) {
  Status status;
  const bool in_acc = isAcc(local);
  forEachRow(loops, 0, local, [&](int64_t /*address*/, int64_t row) {
    if (status.ok()) status = write ? races_.writeRow(in_acc, row) : races_.readRow(in_acc, row);
  });
  return status;
}

Status verify(const Config& config, std::span<const Instruction> program, const Dram& dram) {
  TET_RETURN_IF_ERROR(check(config));
  if (program.empty()) return invalidArgument("the program is empty: even the smallest ends with halt");
  Verifier verifier(config, dram);
  for (size_t i = 0; i < program.size(); ++i) {
    Status status = verifier.add(program[i]);
    const bool is_halt = std::holds_alternative<Halt>(program[i]);
    if (status.ok() && is_halt && i + 1 < program.size()) {
      status = invalidArgument("the program goes on behind it");
    }
    if (status.ok() && !is_halt && i + 1 == program.size()) {
      status = invalidArgument("it is the last one and is not halt");
    }
    if (!status.ok()) {
      return propagate(status.withContext(fmt::format("instruction {} ({})", i, disassemble(program[i]))));
    }
  }
  return {};
}

Result<std::vector<Instruction>> verify(const Config& config, std::span<const Word> program,
                                        const Dram& dram) {
  TET_ASSIGN_OR_RETURN(std::vector<Instruction> instructions, decode(program));
  TET_RETURN_IF_ERROR(verify(config, instructions, dram));
  return instructions;
}

}  // namespace tetrarch::npu
