#include "tetrarch/devices/opencl/module.h"

#include <algorithm>

using tetrarch::Result;
using tetrarch::Status;
using tetrarch::StatusCode;
using tetrarch::abi::OpenClBinary;
using tetrarch::abi::OpenClEntry;
using tetrarch::opencl::check;
using tetrarch::opencl::cl;

Result<std::unique_ptr<tet_module>> tet_module::load(tet_device* device, std::string_view name,
                                                     std::string_view format,
                                                     std::span<const std::byte> bytes) {
  TET_RETURN_IF_ERROR(device->checkAlive());
  if (format != "opencl-c") {
    return tetrarch::invalidArgument("{}: {} loads code of format opencl-c, not '{}'", name,
                                     device->description->info().name, format);
  }
  auto program = tetrarch::abi::readOpenClProgram(bytes);
  if (!program) return tetrarch::propagate(program.error().withContext(name));
  auto module = std::make_unique<tet_module>();
  module->device = device;
  module->source_ = std::move(*program);
  Status built = module->build();
  if (built.ok()) built = module->createKernels();
  if (!built.ok()) return tetrarch::propagate(built.withContext(name));
  return module;
}

tet_module::~tet_module() {
  for (const auto& kernel : kernels_) {
    for (cl_kernel pass : kernel->passes) cl().ReleaseKernel(pass);
  }
  if (program_) cl().ReleaseProgram(program_);
}

Status tet_module::buildFrom(cl_program candidate, const std::string& options) {
  const cl_int code = cl().BuildProgram(candidate, 1, &device->id, options.c_str(), nullptr, nullptr);
  if (code == CL_SUCCESS) {
    program_ = candidate;
    return {};
  }
  // Drivers give the whole log or nothing; its first lines say what is wrong.
  size_t bytes = 0;
  cl().GetProgramBuildInfo(candidate, device->id, CL_PROGRAM_BUILD_LOG, 0, nullptr, &bytes);
  std::string log(bytes + 1, '\0');
  cl().GetProgramBuildInfo(candidate, device->id, CL_PROGRAM_BUILD_LOG, bytes, log.data(), nullptr);
  cl().ReleaseProgram(candidate);
  Status status = check(code, "building the program");
  return Status(status.code(), fmt::format("{}: {:.900}", status.message(), log.c_str()));
}

Status tet_module::build() {
  const std::string options = fmt::format("{}{}-D" TET_OPENCL_LOCAL_MACRO "={}", source_.options,
                                          source_.options.empty() ? "" : " ", device->local_items);
  cl_int code = CL_SUCCESS;
  const auto cached =
      std::ranges::find(source_.binaries, device->description->binaryKey(), &OpenClBinary::device);
  if (cached != source_.binaries.end()) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(cached->program.data());
    const size_t size = cached->program.size();
    cl_program candidate =
        cl().CreateProgramWithBinary(device->context, 1, &device->id, &size, &bytes, nullptr, &code);
    // A binary is only a cache: one that this driver does not take is forgotten.
    if (code == CL_SUCCESS && buildFrom(candidate, options).ok()) return {};
  }
  const char* text = source_.source.data();
  const size_t length = source_.source.size();
  cl_program candidate = cl().CreateProgramWithSource(device->context, 1, &text, &length, &code);
  TET_RETURN_IF_ERROR(device->check(code, "reading the source"));
  return buildFrom(candidate, options);
}

Status tet_module::createKernels() {
  constexpr uint64_t kNotSet = UINT64_MAX;
  for (const OpenClEntry& entry : source_.entries) {
    auto kernel = std::make_unique<tet_kernel>();
    kernel->device = device;
    kernel->entry = &entry;
    kernels_.push_back(std::move(kernel));  // before its passes, so that the destructor sees them
    for (const auto& pass : entry.passes) {
      cl_int code = CL_SUCCESS;
      cl_kernel made = cl().CreateKernel(program_, pass.kernel.c_str(), &code);
      TET_RETURN_IF_ERROR(
          device->check(code, fmt::format("task {}: making kernel {}", entry.symbol, pass.kernel)));
      kernels_.back()->passes.push_back(made);
      kernels_.back()->set.emplace_back(pass.arguments.size(), kNotSet);
    }
  }
  return {};
}

tet_kernel* tet_module::find(std::string_view symbol) {
  auto found =
      std::ranges::find_if(kernels_, [&](const auto& kernel) { return kernel->entry->symbol == symbol; });
  return found == kernels_.end() ? nullptr : found->get();
}

Result<std::span<const std::byte>> tet_module::binary() {
  std::lock_guard lock(binary_mutex_);
  if (!binary_.empty()) return binary_;
  size_t size = 0;
  TET_RETURN_IF_ERROR(
      device->check(cl().GetProgramInfo(program_, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr),
                    "asking for the binary"));
  if (size == 0) return tetrarch::unimplemented("the driver gives no binary");
  std::string bytes(size, '\0');
  auto* data = reinterpret_cast<unsigned char*>(bytes.data());
  TET_RETURN_IF_ERROR(device->check(
      cl().GetProgramInfo(program_, CL_PROGRAM_BINARIES, sizeof data, &data, nullptr), "reading the binary"));
  tetrarch::abi::OpenClProgram with = source_;
  std::erase_if(with.binaries,
                [&](const OpenClBinary& b) { return b.device == device->description->binaryKey(); });
  with.binaries.push_back({device->description->binaryKey(), std::move(bytes)});
  binary_ = tetrarch::abi::writeOpenClProgram(with);
  return binary_;
}
