#include "tetrarch/compile/target/cpu/object.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "tetrarch/abi/cpu_kernel.h"

namespace tetrarch::compile::cpu {
namespace {

struct VariantRow {
  const char *name, *processor;
  const char* extensions;
  const char* features;
  int64_t vector_bytes, vector_registers;
  DotInstruction dot;
};
// From the most general to the best.
constexpr VariantRow kVariants[] = {
    {"x86-64-v3", "x86-64-v3", "", "avx2 bmi2 f16c fma", 32, 16, DotInstruction::kMultiplyPairs},
    {"x86-64-v3-vnni", "x86-64-v3", "+avxvnni", "avx2 avxvnni bmi2 f16c fma", 32, 16,
     DotInstruction::kFourBytes},
    {"x86-64-v4", "x86-64-v4", "", "avx2 avx512bw avx512cd avx512dq avx512f avx512vl bmi2 f16c fma", 64, 32,
     DotInstruction::kMultiplyPairs},
    {"x86-64-v4-vnni", "x86-64-v4", "+avx512vnni",
     "avx2 avx512bw avx512cd avx512dq avx512f avx512vl avx512vnni bmi2 f16c fma", 64, 32,
     DotInstruction::kFourBytes},
    {"x86-64-v4-vbmi", "x86-64-v4", "+avx512vnni,+avx512vbmi",
     "avx2 avx512bw avx512cd avx512dq avx512f avx512vbmi avx512vl avx512vnni bmi2 f16c fma", 64, 32,
     DotInstruction::kFourBytes},
};

std::unique_ptr<llvm::TargetMachine> makeTargetMachine(const Variant& variant) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  const llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return nullptr;
  llvm::TargetOptions options;
  options.FunctionSections = true;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, variant.processor, variant.extensions, options, llvm::Reloc::PIC_,
                                  llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

// The loops were tiled and vectorised by hand: LLVM must use the full registers and leave the calls' order
// alone.
void setAttributes(llvm::Module& module, const Variant& variant) {
  const std::string bits = std::to_string(variant.vector_bytes * 8);
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", variant.processor);
    if (!variant.extensions.empty()) function.addFnAttr("target-features", variant.extensions);
    function.addFnAttr("prefer-vector-width", bits);
    function.addFnAttr("min-legal-vector-width", bits);
    function.addFnAttr("no-trapping-math", "true");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

void optimise(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

Result<std::vector<char>> emitObject(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
    return internalError("LLVM cannot write object files for {}", machine.getTargetCPU().str());
  }
  passes.run(module);
  return std::vector<char>(bytes.begin(), bytes.end());
}

// A file without a name, which the linker reads or writes through path(): nothing of it can stay behind.
class MemoryFile {
 public:
  static Result<MemoryFile> create() {
    const int fd = ::memfd_create("tetrarch-link", 0);  // the linker inherits it
    if (fd < 0)
      return fail(StatusCode::kResourceExhausted, "no memory for linking: {}", std::strerror(errno));
    return MemoryFile(fd);
  }
  MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

  Status write(llvm::StringRef bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno != EINTR)
        return fail(StatusCode::kResourceExhausted, "no memory for linking: {}", std::strerror(errno));
      if (n > 0) bytes = bytes.drop_front(n);
    }
    return {};
  }
  Result<std::vector<std::byte>> read() const {
    std::ifstream in(path(), std::ios::binary | std::ios::ate);
    if (!in) return internalError("{} cannot be read", path());
    std::vector<std::byte> bytes(in.tellg());
    in.seekg(0);
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }

 private:
  explicit MemoryFile(int fd) : fd_(fd) {}
  int fd_;
};

Result<std::string> findLinker() {
  for (const char* name : {"ld.lld-22", "ld.lld"}) {
    if (auto path = llvm::sys::findProgramByName(name)) return *path;
    if (auto path = llvm::sys::findProgramByName(name, {"/usr/lib/llvm-22/bin"})) return *path;
  }
  return fail(StatusCode::kNotFound, "the linker ld.lld was not found: install lld-22");
}

// The constant table of abi/cpu_kernel.h.
void addTable(llvm::Module& module, std::span<const Export> exports) {
  llvm::LLVMContext& context = module.getContext();
  auto* pointer = llvm::PointerType::get(context, 0);
  auto* i64 = llvm::Type::getInt64Ty(context);
  auto* i32 = llvm::Type::getInt32Ty(context);
  auto* row = llvm::StructType::get(context, {pointer, pointer, i64, i64, i64, i64});
  llvm::IRBuilder<> b(context);
  std::vector<llvm::Constant*> rows;
  auto number = [&](int64_t value) { return llvm::ConstantInt::get(i64, value); };
  for (const auto& [name, object] : exports) {
    auto* text = llvm::ConstantDataArray::getString(context, name);
    auto* global =
        new llvm::GlobalVariable(module, text->getType(), true, llvm::GlobalValue::PrivateLinkage, text);
    auto function = module.getOrInsertFunction(object->entry.symbol, llvm::Type::getVoidTy(context));
    auto* callee = llvm::cast<llvm::Function>(function.getCallee());
    callee->setVisibility(llvm::GlobalValue::HiddenVisibility);
    rows.push_back(llvm::ConstantStruct::get(
        row, {global, callee, number(object->entry.units), number(object->entry.granularity),
              number(object->entry.scratch_bytes), number(object->buffers)}));
  }
  auto* array = llvm::ConstantArray::get(llvm::ArrayType::get(row, rows.size()), rows);
  auto* kernels =
      new llvm::GlobalVariable(module, array->getType(), true, llvm::GlobalValue::PrivateLinkage, array);
  auto word = [&](uint64_t value) { return llvm::ConstantInt::get(i32, value); };
  auto* table = llvm::ConstantStruct::getAnon({word(TET_CPU_MODULE_MAGIC), word(TET_CPU_MODULE_VERSION),
                                               word(sizeof(tet_cpu_kernel)), word(rows.size()), kernels});
  new llvm::GlobalVariable(module, table->getType(), true, llvm::GlobalValue::ExternalLinkage, table,
                           TET_CPU_MODULE_SYMBOL);
}

// One archive of all objects, so that the linker needs one file.
Result<std::unique_ptr<llvm::MemoryBuffer>> archiveOf(std::span<const std::span<const char>> objects) {
  std::vector<std::string> names;
  for (size_t i = 0; i < objects.size(); ++i) names.push_back(fmt::format("{}.o", i));
  std::vector<llvm::NewArchiveMember> members;
  for (size_t i = 0; i < objects.size(); ++i)
    members.emplace_back(llvm::MemoryBufferRef({objects[i].data(), objects[i].size()}, names[i]));
  auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                            llvm::object::Archive::K_GNU, true, false);
  if (!archive) return internalError("no archive of objects: {}", llvm::toString(archive.takeError()));
  return std::move(*archive);
}

Result<std::vector<std::byte>> runLinker(const MemoryFile& objects) {
  TET_ASSIGN_OR_RETURN(const std::string linker, findLinker());
  TET_ASSIGN_OR_RETURN(const MemoryFile output, MemoryFile::create());
  TET_ASSIGN_OR_RETURN(const MemoryFile log, MemoryFile::create());
  const std::string in = objects.path(), out = output.path(), errors = log.path();
  const llvm::StringRef arguments[] = {linker, "-shared", "--gc-sections",   "-z", "relro", "-z", "now",
                                       "-o",   "-",       "--whole-archive", in};
  const std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), llvm::StringRef(out),
                                                      llvm::StringRef(errors)};
  std::string problem;
  if (llvm::sys::ExecuteAndWait(linker, arguments, std::nullopt, redirects, 0, 0, &problem) == 0)
    return output.read();
  std::ifstream said(errors);
  std::string first;
  std::getline(said, first);
  return internalError("linking with {} failed: {}", linker, problem.empty() ? first : problem);
}

}  // namespace

std::vector<Variant> hostVariants() {
  const llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  const VariantRow* best = kVariants;
  for (const VariantRow& row : kVariants) {
    llvm::SmallVector<llvm::StringRef> needed;
    llvm::StringRef(row.features).split(needed, ' ');
    if (llvm::all_of(needed, [&](llvm::StringRef feature) { return host.lookup(feature); })) best = &row;
  }
  std::vector<Variant> variants;
  auto add = [&](const VariantRow& row) {
    variants.push_back({row.name, row.processor, row.extensions, row.features, row.vector_bytes,
                        row.vector_registers, row.dot});
  };
  // The general variant is made even where it cannot be tried.
  add(kVariants[0]);
  if (best != kVariants) add(*best);
  return variants;
}

Result<ObjectCode> assemble(LoweredKernel kernel, const Variant& variant) {
  std::unique_ptr<llvm::TargetMachine> machine = makeTargetMachine(variant);
  if (!machine) return fail(StatusCode::kUnimplemented, "this LLVM has no x86-64 target");
  kernel.module->setTargetTriple(machine->getTargetTriple());
  kernel.module->setDataLayout(machine->createDataLayout());
  setAttributes(*kernel.module, variant);
  optimise(*kernel.module, *machine);
  ObjectCode object;
  TET_ASSIGN_OR_RETURN(object.bytes, emitObject(*kernel.module, *machine));
  object.entry = kernel.entry;
  object.buffers = kernel.buffers;
  return object;
}

Result<std::vector<std::byte>> link(std::span<const Export> exports, const Variant& variant) {
  std::unique_ptr<llvm::TargetMachine> machine = makeTargetMachine(variant);
  if (!machine) return fail(StatusCode::kUnimplemented, "this LLVM has no x86-64 target");
  llvm::LLVMContext context;
  llvm::Module module("table", context);
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  addTable(module, exports);
  TET_ASSIGN_OR_RETURN(std::vector<char> table, emitObject(module, *machine));
  std::vector<std::span<const char>> objects = {table};
  std::set<const ObjectCode*> seen;
  for (const Export& e : exports) {
    if (seen.insert(e.object).second) objects.emplace_back(e.object->bytes);
  }
  TET_ASSIGN_OR_RETURN(const auto archive, archiveOf(objects));
  TET_ASSIGN_OR_RETURN(MemoryFile file, MemoryFile::create());
  TET_RETURN_IF_ERROR(file.write(archive->getBuffer()));
  return runLinker(file);
}

}  // namespace tetrarch::compile::cpu
