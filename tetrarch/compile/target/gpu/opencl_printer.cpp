#include "tetrarch/compile/target/gpu/opencl_printer.h"

#include <fmt/format.h>

#include <algorithm>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "tetrarch/compile/target/gpu/buffer_roots.h"
#include "tetrarch/compile/target/gpu/mlir_text.h"
#include "tetrarch/compile/target/gpu/opencl_printer_impl.h"

namespace tetrarch::opencl {
namespace {

namespace scf = mlir::scf;
namespace gpu = mlir::gpu;

// The longest expression that is still folded into its use.
constexpr size_t kFoldLength = 72;

// Words that no variable may be called; beside these, names are made of letters, digits and underscores.
constexpr std::string_view kReserved[] = {
    "kernel",   "global",   "local", "constant", "private", "half",    "float",  "double",
    "int",      "long",     "char",  "short",    "uint",    "uchar",   "ulong",  "ushort",
    "size_t",   "bool",     "if",    "else",     "for",     "while",   "do",     "return",
    "break",    "continue", "const", "restrict", "true",    "false",   "image",  "sampler",
    "event",    "pipe",     "auto",  "switch",   "case",    "default", "goto",   "void",
    "struct",   "union",    "enum",  "typedef",  "static",  "inline",  "signed", "unsigned",
    "volatile", "min",      "max",   "select",   "fma",     "step",    "mix",
};

std::string identifier(llvm::StringRef wanted) {
  std::string text;
  for (char c : wanted) text += llvm::isAlnum(c) ? c : '_';
  if (text.empty() || llvm::isDigit(text[0])) text = "v" + text;
  if (llvm::is_contained(kReserved, std::string_view(text))) text += "_";
  return text;
}

// int holds every index unless a buffer is too big for it or an index comes from a 64-bit value.
bool needsWideIndex(gpu::GPUFuncOp kernel) {
  constexpr int64_t kLimit = int64_t{1} << 30;
  bool wide = false;
  auto tooBig = [](mlir::Type type) {
    auto memref = mlir::dyn_cast<mlir::MemRefType>(type);
    return memref && memref.hasStaticShape() && memref.getNumElements() >= kLimit;
  };
  wide |= llvm::any_of(kernel.getArgumentTypes(), tooBig);
  kernel.walk([&](mlir::Operation* op) {
    wide |= llvm::any_of(op->getResultTypes(), tooBig);
    if (auto cast = mlir::dyn_cast<mlir::arith::IndexCastOp>(op))
      wide |= elementOf(cast.getIn().getType()).isInteger(64);
    if (auto constant = mlir::dyn_cast<mlir::arith::ConstantIndexOp>(op))
      wide |= std::abs(constant.value()) >= kLimit;
  });
  return wide;
}

char dimensionName(gpu::Dimension dimension) { return "xyz"[static_cast<int>(dimension)]; }

}  // namespace

void Helpers::add(std::string_view helper, const ScalarType& type, int width) {
  addText(helperText(helper, type, width));
}

void Helpers::addText(std::string text) {
  if (!llvm::is_contained(texts_, text)) texts_.push_back(std::move(text));
}

std::string Helpers::text() const {
  std::string all;
  for (const std::string& text : texts_) all += text + "\n\n";
  return all;
}

// ---- values
// ------------------------------------------------------------------------------------------------------

Result<Parts> KernelPrinter::parts(mlir::Value value) {
  auto it = parts_.find(value);
  if (it != parts_.end()) return it->second;
  return internalError("a value of type {} is used before it was printed", textOf(value.getType()));
}

Result<Expr> KernelPrinter::scalar(mlir::Value value) {
  TET_ASSIGN_OR_RETURN(Parts all, parts(value));
  return all[0];
}

Result<ScalarType> KernelPrinter::type(mlir::Value value) {
  TET_ASSIGN_OR_RETURN(ScalarType found, scalarType(value.getType(), wide_index_));
  uses_double_ |= found.name == "double";
  return found;
}

std::string KernelPrinter::unique(std::string_view wanted) {
  const int count = names_[wanted]++;
  if (count == 0) return std::string(wanted);
  const std::string numbered = fmt::format("{}{}{}", wanted, llvm::isDigit(wanted.back()) ? "_" : "", count);
  return names_.contains(numbered) ? unique(wanted) : (names_[numbered] = 1, numbered);
}

std::string KernelPrinter::name(mlir::Value value, std::string_view fallback) {
  if (auto named = value.getLoc()->findInstanceOf<mlir::NameLoc>())
    return unique(identifier(named.getName().getValue()));
  return unique(fallback);
}

llvm::StringMap<int> KernelPrinter::enterScope() {
  ++indent_;
  return names_;
}

void KernelPrinter::leaveScope(const llvm::StringMap<int>& outer) {
  names_ = outer;
  --indent_;
}

void KernelPrinter::line(std::string_view text) {
  body_.append(static_cast<size_t>(indent_) * 2, ' ');
  body_ += text;
  body_ += '\n';
}

Status KernelPrinter::declined(mlir::Operation* op, std::string_view why) const {
  return unimplemented("OpenCL C has no spelling for {}: {}", op->getName().getStringRef().str(), why);
}

Status KernelPrinter::bind(mlir::Operation* op, Parts parts, bool movable) {
  mlir::Value result = op->getResult(0);
  if (result.use_empty() && movable) return {};
  mlir::Operation* user = result.hasOneUse() ? *result.user_begin() : nullptr;
  const bool nearby =
      user && user->getBlock() == op->getBlock() && !mlir::isa<mlir::LoopLikeOpInterface>(user);
  const bool names_only = llvm::all_of(parts, [](const Expr& e) {
    return e.prec == Prec::Atom && e.text.find('(') == std::string::npos &&
           e.text.find('[') == std::string::npos;
  });
  const bool is_short = llvm::all_of(parts, [](const Expr& e) { return e.text.size() <= kFoldLength; });
  if (movable && ((nearby && is_short) || (names_only && parts.size() > 1))) {
    folded_.insert(result);
    parts_[result] = std::move(parts);
    return {};
  }
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(result));
  const auto widths = partWidths(result.getType());
  const std::string_view fallback = element.is_index ? "at" : !movable ? "x" : "v";
  const std::string base = name(result, fallback);
  Parts variables;
  for (size_t part = 0; part < parts.size(); ++part) {
    const std::string named = parts.size() == 1 ? base : unique(fmt::format("{}_{}", base, part));
    line(fmt::format("const {} {} = {};", typeName(element, widths[part]), named, parts[part].text));
    variables.push_back({named});
  }
  parts_[result] = std::move(variables);
  return {};
}

// ---- variables that loops and branches assign
// ----------------------------------------------------------------------

Result<Variables> KernelPrinter::declare(mlir::Value value, std::string_view fallback, const Parts* init) {
  TET_ASSIGN_OR_RETURN(const ScalarType element, type(value));
  const auto widths = partWidths(value.getType());
  Variables variables{.first_number = variables_};
  variables_ += static_cast<int>(widths.size());
  const std::string base = name(value, fallback);
  for (size_t part = 0; part < widths.size(); ++part) {
    const std::string named = widths.size() == 1 ? base : unique(fmt::format("{}_{}", base, part));
    const std::string start = init ? " = " + (*init)[part].text : "";
    line(fmt::format("{} {}{};", typeName(element, widths[part]), named, start));
    variables.names.push_back(named);
  }
  return variables;
}

Parts KernelPrinter::read(const Variables& variables) const {
  Parts result;
  for (size_t i = 0; i < variables.names.size(); ++i) {
    result.push_back({variables.names[i], Prec::Atom, {variables.first_number + static_cast<int>(i)}});
  }
  return result;
}

Status KernelPrinter::assign(llvm::ArrayRef<Variables> targets, mlir::ValueRange values) {
  struct Move {
    std::string to, type;
    int number;
    Expr from;
  };
  std::vector<Move> moves;
  for (auto [target, value] : llvm::zip_equal(targets, values)) {
    TET_ASSIGN_OR_RETURN(const ScalarType element, type(value));
    TET_ASSIGN_OR_RETURN(const Parts from, parts(value));
    const auto widths = partWidths(value.getType());
    for (size_t part = 0; part < from.size(); ++part) {
      if (from[part].text == target.names[part]) continue;
      moves.push_back({target.names[part], typeName(element, widths[part]),
                       target.first_number + static_cast<int>(part), from[part]});
    }
  }
  // All temporaries come before the first assignment, so each reads the old values.
  for (size_t i = 0; i < moves.size(); ++i) {
    const bool clobbered =
        std::any_of(moves.begin(), moves.begin() + static_cast<long>(i),
                    [&](const Move& m) { return llvm::is_contained(moves[i].from.reads, m.number); });
    if (!clobbered) continue;
    const std::string kept = unique("next");
    line(fmt::format("const {} {} = {};", moves[i].type, kept, moves[i].from.text));
    moves[i].from = {kept};
  }
  for (const Move& move : moves) line(fmt::format("{} = {};", move.to, move.from.text));
  return {};
}

// ---- structure
// -----------------------------------------------------------------------------------------------------

Status KernelPrinter::forLoop(scf::ForOp loop) {
  llvm::SmallVector<Variables> carried;
  for (auto [argument, init] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getInitArgs())) {
    TET_ASSIGN_OR_RETURN(const Parts start, parts(init));
    TET_ASSIGN_OR_RETURN(Variables variables, declare(argument, "acc", &start));
    parts_[argument] = read(variables);
    carried.push_back(std::move(variables));
  }
  TET_ASSIGN_OR_RETURN(const ScalarType counter_type, type(loop.getInductionVar()));
  TET_ASSIGN_OR_RETURN(const Expr first, scalar(loop.getLowerBound()));
  TET_ASSIGN_OR_RETURN(const Expr end, scalar(loop.getUpperBound()));
  TET_ASSIGN_OR_RETURN(const Expr step, scalar(loop.getStep()));
  const llvm::StringMap<int> before = names_;  // the counter's name is free again after the loop
  const std::string counter = name(loop.getInductionVar(), "i");
  const bool by_one = step.text == "1" || step.text == "1L";
  line(fmt::format("for ({0} {1} = {2}; {1} < {3}; {4}) {{", counter_type.name, counter, first.text,
                   operand(end, Prec::Shift), by_one ? "++" + counter : counter + " += " + step.text));
  const llvm::StringMap<int> outer = enterScope();
  parts_[loop.getInductionVar()] = {{counter}};
  TET_RETURN_IF_ERROR(block(*loop.getBody()));
  TET_RETURN_IF_ERROR(assign(carried, loop.getYieldedValues()));
  leaveScope(outer);
  line("}");
  for (auto [result, variables] : llvm::zip_equal(loop.getResults(), carried))
    parts_[result] = read(variables);
  return {};
}

Status KernelPrinter::whileLoop(scf::WhileOp loop) {
  llvm::SmallVector<Variables> carried, after;
  for (auto [argument, init] : llvm::zip_equal(loop.getBeforeArguments(), loop.getInits())) {
    TET_ASSIGN_OR_RETURN(const Parts start, parts(init));
    TET_ASSIGN_OR_RETURN(Variables variables, declare(argument, "state", &start));
    parts_[argument] = read(variables);
    carried.push_back(std::move(variables));
  }
  for (mlir::BlockArgument argument : loop.getAfterArguments()) {
    TET_ASSIGN_OR_RETURN(Variables variables, declare(argument, "result", nullptr));
    parts_[argument] = read(variables);
    after.push_back(std::move(variables));
  }
  line("while (true) {");
  const llvm::StringMap<int> outer = enterScope();
  TET_RETURN_IF_ERROR(block(*loop.getBeforeBody()));
  scf::ConditionOp condition = loop.getConditionOp();
  TET_RETURN_IF_ERROR(assign(after, condition.getArgs()));
  TET_ASSIGN_OR_RETURN(const Expr test, scalar(condition.getCondition()));
  line(fmt::format("if (!({})) break;", test.text));
  TET_RETURN_IF_ERROR(block(*loop.getAfterBody()));
  TET_RETURN_IF_ERROR(assign(carried, loop.getYieldOp().getOperands()));
  leaveScope(outer);
  line("}");
  for (auto [result, variables] : llvm::zip_equal(loop.getResults(), after)) parts_[result] = read(variables);
  return {};
}

Status KernelPrinter::branch(scf::IfOp branch) {
  TET_ASSIGN_OR_RETURN(const Expr condition, scalar(branch.getCondition()));
  llvm::SmallVector<Variables> results;
  for (mlir::OpResult result : branch.getResults()) {
    TET_ASSIGN_OR_RETURN(Variables variables, declare(result, "chosen", nullptr));
    results.push_back(std::move(variables));
  }
  auto side = [&](mlir::Block* body, std::string_view head) -> Status {
    line(head);
    const llvm::StringMap<int> outer = enterScope();
    TET_RETURN_IF_ERROR(block(*body));
    TET_RETURN_IF_ERROR(assign(results, body->getTerminator()->getOperands()));
    leaveScope(outer);
    return {};
  };
  TET_RETURN_IF_ERROR(side(branch.thenBlock(), fmt::format("if ({}) {{", condition.text)));
  if (branch.elseBlock()) TET_RETURN_IF_ERROR(side(branch.elseBlock(), "} else {"));
  line("}");
  for (auto [result, variables] : llvm::zip_equal(branch.getResults(), results))
    parts_[result] = read(variables);
  return {};
}

Status KernelPrinter::barrier(gpu::BarrierOp) {
  line("barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);");
  return {};
}

Status KernelPrinter::id(mlir::Operation* op) {
  struct Query {
    std::string_view function, prefix;
    gpu::Dimension dimension;
  };
  const auto query =
      llvm::TypeSwitch<mlir::Operation*, std::optional<Query>>(op)
          .Case([](gpu::GlobalIdOp o) { return Query{"get_global_id", "g", o.getDimension()}; })
          .Case([](gpu::ThreadIdOp o) { return Query{"get_local_id", "l", o.getDimension()}; })
          .Case([](gpu::BlockIdOp o) { return Query{"get_group_id", "w", o.getDimension()}; })
          .Case([](gpu::BlockDimOp o) { return Query{"get_local_size", "n", o.getDimension()}; })
          .Case([](gpu::GridDimOp o) { return Query{"get_num_groups", "m", o.getDimension()}; })
          .Default([](mlir::Operation*) { return std::nullopt; });
  if (!query) return declined(op, "the op is not in the printer's tables");
  const std::string index = wide_index_ ? "long" : "int";
  const std::string named =
      name(op->getResult(0), fmt::format("{}{}", query->prefix, dimensionName(query->dimension)));
  line(fmt::format("const {0} {1} = ({0}){2}({3});", index, named, query->function,
                   static_cast<int>(query->dimension)));
  parts_[op->getResult(0)] = {{named}};
  return {};
}

Status KernelPrinter::op(mlir::Operation* op) {
  if (const OpRow* found = findRow(op->getName().getStringRef().str())) return row(op, *found);
  bool known = true;
  TET_RETURN_IF_ERROR(memory(op, known));
  if (known) return {};
  known = true;
  TET_RETURN_IF_ERROR(vectors(op, known));
  if (known) return {};
  return llvm::TypeSwitch<mlir::Operation*, Status>(op)
      .Case([&](scf::ForOp loop) { return forLoop(loop); })
      .Case([&](scf::WhileOp loop) { return whileLoop(loop); })
      .Case([&](scf::IfOp found) { return branch(found); })
      .Case([&](gpu::BarrierOp found) { return barrier(found); })
      .Case([&](mlir::arith::ConstantOp) { return constant(op); })
      .Case([&](mlir::arith::CmpIOp c) {
        return compare(op, integerPredicate(static_cast<int>(c.getPredicate())));
      })
      .Case([&](mlir::arith::CmpFOp c) {
        return compare(op, floatPredicate(static_cast<int>(c.getPredicate())));
      })
      .Case([&](mlir::arith::SelectOp) { return select(op); })
      .Case([&](mlir::arith::BitcastOp) { return bitcast(op); })
      .Case<mlir::arith::ExtFOp, mlir::arith::TruncFOp, mlir::arith::SIToFPOp, mlir::arith::UIToFPOp,
            mlir::arith::FPToSIOp, mlir::arith::FPToUIOp, mlir::arith::ExtSIOp, mlir::arith::ExtUIOp,
            mlir::arith::TruncIOp, mlir::arith::IndexCastOp, mlir::arith::IndexCastUIOp>(
          [&](mlir::Operation*) { return cast(op); })
      .Default([&](mlir::Operation*) { return id(op); });
}

Status KernelPrinter::block(mlir::Block& block) {
  for (mlir::Operation& found : block.without_terminator()) TET_RETURN_IF_ERROR(op(&found));
  return {};
}

Result<std::string> KernelPrinter::signature(gpu::GPUFuncOp kernel) {
  std::string text;
  if (auto size = kernel.getKnownBlockSize()) {
    text = fmt::format("__attribute__((reqd_work_group_size({}, {}, {})))\n", (*size)[0], (*size)[1],
                       (*size)[2]);
  } else if (auto macro = kernel->getAttrOfType<mlir::StringAttr>(kLocalSizeMacroAttr)) {
    text = fmt::format("__attribute__((reqd_work_group_size({}, 1, 1)))\n", macro.getValue().str());
  }
  text += fmt::format("__kernel void {}(", kernel.getName().str());
  const size_t line_end = text.rfind('\n');
  const std::string gap(text.size() - (line_end == std::string::npos ? 0 : line_end + 1), ' ');
  for (auto [number, argument] :
       llvm::enumerate(kernel.getBody().getArguments().take_front(kernel.getNumArguments()))) {
    if (number > 0) text += ",\n" + gap;
    TET_ASSIGN_OR_RETURN(const ScalarType element, type(argument));
    auto memref = mlir::dyn_cast<mlir::MemRefType>(argument.getType());
    const std::string named = name(argument, fmt::format("arg{}", number));
    if (!memref) {
      if (mlir::isa<mlir::ShapedType>(argument.getType()) || element.is_bool) {
        return unimplemented("kernel {}: an argument of type {} cannot be passed", kernel.getName().str(),
                             textOf(argument.getType()));
      }
      text += fmt::format("const {} {}", element.storage, named);
      parts_[argument] = {{named}};
      continue;
    }
    llvm::SmallVector<int64_t> strides;
    int64_t offset = 0;
    if (failed(memref.getStridesAndOffset(strides, offset)) || mlir::ShapedType::isDynamic(offset) ||
        llvm::any_of(strides, mlir::ShapedType::isDynamic)) {
      return unimplemented("kernel {}: argument {} of type {} has no static layout", kernel.getName().str(),
                           number, textOf(memref));
    }
    const bool read_only = !written_.contains(argument);
    text += fmt::format("__global {}{}* restrict {}", read_only ? "const " : "", element.storage, named);
    views_[argument] = {.pointer = named,
                        .space = "__global",
                        .read_only = read_only,
                        .offset = {.constant = offset},
                        .strides = strides};
  }
  return text + ") {\n";
}

Status KernelPrinter::attributions(gpu::GPUFuncOp kernel) {
  for (mlir::BlockArgument local : kernel.getWorkgroupAttributions())
    TET_RETURN_IF_ERROR(declareMemory(local, "__local", "shared"));
  for (mlir::BlockArgument own : kernel.getPrivateAttributions())
    TET_RETURN_IF_ERROR(declareMemory(own, "", "own"));
  return {};
}

Result<std::string> KernelPrinter::print(gpu::GPUFuncOp kernel) {
  if (!kernel.isKernel())
    return unimplemented("gpu.func {} is not a kernel, and only kernels are printed", kernel.getName().str());
  wide_index_ = needsWideIndex(kernel);
  compile::gpu::collectWritten(kernel, written_);
  TET_ASSIGN_OR_RETURN(const std::string head, signature(kernel));
  Status done = attributions(kernel);
  if (done.ok()) done = block(kernel.getBody().front());
  if (!done.ok()) return propagate(done.withContext(fmt::format("kernel {}", kernel.getName().str())));
  return head + body_ + "}\n";
}

Result<std::string> printOpenCl(gpu::GPUModuleOp module) {
  Helpers helpers;
  std::string kernels;
  bool uses_double = false;
  for (auto kernel : module.getOps<gpu::GPUFuncOp>()) {
    KernelPrinter printer(helpers);
    TET_ASSIGN_OR_RETURN(const std::string text, printer.print(kernel));
    uses_double |= printer.usesDouble();
    kernels += (kernels.empty() ? "" : "\n") + text;
  }
  const std::string pragma = uses_double ? "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n\n" : "";
  return pragma + helpers.text() + kernels;
}

}  // namespace tetrarch::opencl
