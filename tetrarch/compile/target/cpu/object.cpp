#include "tetrarch/compile/target/cpu/object.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "llvm/ADT/SmallString.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "tetrarch/abi/cpu_kernel.h"

namespace tetrarch::compile::cpu {
namespace {

namespace fs = std::filesystem;

struct VariantRow {
  const char* name;
  const char* features;
  int64_t vector_bytes, vector_registers;
};
constexpr VariantRow kVariants[] = {
    {"x86-64-v3", "avx2 bmi2 f16c fma", 32, 16},
    {"x86-64-v4", "avx2 avx512bw avx512cd avx512dq avx512f avx512vl bmi2 f16c fma", 64, 32},
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
      target->createTargetMachine(triple, variant.name, "", options, llvm::Reloc::PIC_,
                                  llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

// The loops were tiled and vectorised by hand: LLVM must use the full registers and leave the calls' order
// alone.
void setAttributes(llvm::Module& module, const Variant& variant) {
  const std::string bits = std::to_string(variant.vector_bytes * 8);
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("target-cpu", variant.name);
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

// A folder of temporary files that goes away with the object.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create() {
    std::string pattern = (fs::temp_directory_path() / "tetrarch-link-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      return fail(StatusCode::kResourceExhausted, "no temporary folder can be made in {}",
                  fs::temp_directory_path().string());
    return TemporaryFolder(pattern);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Status writeFile(const fs::path& path, std::span<const char> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return fail(StatusCode::kResourceExhausted, "{} cannot be written", path.string());
  return {};
}

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

Result<std::vector<std::byte>> readBytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return internalError("the linker wrote no {}", path.string());
  std::vector<std::byte> bytes(in.tellg());
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

Status runLinker(const std::string& linker, const TemporaryFolder& folder,
                 std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {linker, "-shared", "--gc-sections", "-z", "relro", "-z", "now"});
  const std::string log = (folder / "log").string();
  llvm::SmallVector<llvm::StringRef> refs(arguments.begin(), arguments.end());
  const std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), llvm::StringRef(log),
                                                      llvm::StringRef(log)};
  std::string error;
  if (llvm::sys::ExecuteAndWait(linker, refs, std::nullopt, redirects, 0, 0, &error) == 0) return {};
  std::ifstream in(log);
  std::string first;
  std::getline(in, first);
  return internalError("linking with {} failed: {}", linker, error.empty() ? first : error);
}

}  // namespace

std::vector<Variant> hostVariants() {
  const llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  std::vector<Variant> variants;
  for (const VariantRow& row : kVariants) {
    llvm::SmallVector<llvm::StringRef> needed;
    llvm::StringRef(row.features).split(needed, ' ');
    const bool runs = llvm::all_of(needed, [&](llvm::StringRef feature) { return host.lookup(feature); });
    // The general variant is made even where it cannot be tried.
    if (runs || variants.empty())
      variants.push_back({row.name, row.features, row.vector_bytes, row.vector_registers});
  }
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
  TET_ASSIGN_OR_RETURN(std::string linker, findLinker());
  TET_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::create());
  std::unique_ptr<llvm::TargetMachine> machine = makeTargetMachine(variant);
  if (!machine) return fail(StatusCode::kUnimplemented, "this LLVM has no x86-64 target");
  llvm::LLVMContext context;
  llvm::Module module("table", context);
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  addTable(module, exports);
  TET_ASSIGN_OR_RETURN(std::vector<char> table, emitObject(module, *machine));
  const std::string output = (folder / "kernels.so").string();
  std::vector<std::string> arguments = {"-o", output};
  auto add = [&](const std::string& name, std::span<const char> bytes) {
    arguments.push_back((folder / name).string());
    return writeFile(arguments.back(), bytes);
  };
  TET_RETURN_IF_ERROR(add("table.o", table));
  std::set<const ObjectCode*> seen;
  for (const Export& e : exports) {
    if (seen.insert(e.object).second)
      TET_RETURN_IF_ERROR(add(std::to_string(seen.size()) + ".o", e.object->bytes));
  }
  TET_RETURN_IF_ERROR(runLinker(linker, folder, std::move(arguments)));
  return readBytes(output);
}

}  // namespace tetrarch::compile::cpu
