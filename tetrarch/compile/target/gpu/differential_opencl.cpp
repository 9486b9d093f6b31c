// The OpenCL target on its plug-in's first device. It may decline what the data decides, the length of a loop
// or which branch is taken; those tasks go to the CPU's general path, as they do in a program.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tetrarch/abi/opencl_program.h"
#include "tetrarch/compile/kernel_tool/kernel_runner.h"
#include "tetrarch/compile/kernel_tool/plugin_runner.h"
#include "tetrarch/compile/lower/differential.h"

namespace tetrarch::compile {
namespace {

// Compiles for no driver in particular: OpenCL C 1.2, no extension but doubles, for three vendors'
// processors.
void expectPortable(const CodeBlob& blob) {
  const auto program = abi::readOpenClProgram(blob.bytes);
  ASSERT_TRUE(program.has_value()) << program.error().toString();
  const std::string path = testing::TempDir() + fmt::format("tetrarch_portable_{}.cl", getpid());
  std::ofstream(path) << program->source;
  for (const char* processor : {"spir64", "amdgcn", "nvptx64"}) {
    const std::string command = fmt::format(
        TETRARCH_CLANG
        " -target {} -x cl -cl-std=CL1.2 -Xclang -cl-ext=-all,+cl_khr_fp64 -Xclang -finclude-default-header "
        "-DTET_LOCAL_ITEMS=64 -Wall -Wextra -Wno-parentheses "
        "-Wno-unused-parameter -Werror -fsyntax-only {}",
        processor, path);
    EXPECT_EQ(std::system(command.c_str()), 0) << processor;  // NOLINT(concurrency-mt-unsafe)
  }
  std::remove(path.c_str());
}

class OpenClTarget : public DifferentialTarget {
 public:
  Status compile(std::span<const Task> tasks) override {
    TET_ASSIGN_OR_RETURN(device_, PluginRunner::open(TETRARCH_OPENCL_PLUGIN, ""));
    const CodeGenerator& generator = *findCodeGenerator("opencl");
    std::vector<Task> taken;
    std::vector<Task> declined;
    for (const Task& task : tasks) {
      const Status supported = generator.supports(task);
      places_.push_back({supported.ok(), supported.ok() ? taken.size() : declined.size()});
      (supported.ok() ? taken : declined).push_back(task);
      if (supported.ok()) continue;
      const auto is = [&](std::string_view root) { return task.name.find(root) != std::string::npos; };
      const bool known = is(".sort") || is(".while") || is(".if");
      EXPECT_TRUE(known) << task.name << ": " << supported.toString();
    }
    if (!declined.empty()) {
      TET_ASSIGN_OR_RETURN(cpu_blob_, compileGeneral(declined));
      TET_ASSIGN_OR_RETURN(cpu_, KernelModule::load(cpu_blob_));
    }
    if (taken.empty()) return {};
    TET_ASSIGN_OR_RETURN(auto blobs, generator.compile(taken, {}));
    blob_ = std::move(blobs[0]);
    expectPortable(blob_);
    return {};
  }

  Status run(size_t task, std::vector<Tensor>& operands, std::vector<Tensor>& results) override {
    const Place place = places_[task];
    if (place.on_device) return device_->run(blob_, place.entry, operands, results);
    launch(*cpu_.find(cpu_blob_.entries[place.entry].symbol), operands, results, /*threads=*/1);
    return {};
  }

 private:
  struct Place {
    bool on_device;
    size_t entry;
  };
  std::optional<PluginRunner> device_;
  std::vector<Place> places_;
  CodeBlob blob_, cpu_blob_;
  KernelModule cpu_;
};

}  // namespace

std::unique_ptr<DifferentialTarget> makeDifferentialTarget() { return std::make_unique<OpenClTarget>(); }

}  // namespace tetrarch::compile
