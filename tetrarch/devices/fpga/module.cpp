#include "tetrarch/devices/fpga/module.h"

#include "tetrarch/abi/fpga_design.h"
#include "tetrarch/devices/fpga/timing.h"

namespace tetrarch::fpga {

size_t Configurations::place(const Resources& uses) {
  const std::lock_guard lock(mutex_);
  if (!checkFits(filled_ + uses, board_).ok()) {
    ++last_;
    filled_ = {};
  }
  filled_ = filled_ + uses;
  if (loaded_ == last_) loaded_.reset();
  return last_;
}

bool Configurations::load(size_t configuration) {
  const std::lock_guard lock(mutex_);
  return std::exchange(loaded_, configuration) != configuration;
}

Status FpgaModule::add(const Board& board, const std::filesystem::path& designs, const Kernel& kernel) {
  FpgaKernel& k = kernels_[kernel.symbol];
  k.kernel = &kernel;
  uint64_t units = 1;
  for (const int64_t extent : kernel.units) units *= static_cast<uint64_t>(extent);
  k.info = {.struct_size = sizeof(tet_kernel_info),
            .units = units,
            .granularity = 1,
            .buffer_count = kernel.buffers};
  const auto found = readDesign(kernel, board.part, designs);
  k.is_refused = !found;
  const std::optional<Design> design = found ? *found : std::nullopt;
  k.is_routed = design.has_value();
  k.hz = design ? design->hz : kernel.estimated_hz > 0 ? kernel.estimated_hz : board.default_hz;
  k.uses = design ? design->uses : kernel.estimate;
  TET_RETURN_IF_ERROR(checkFits(k.uses, board));
  if (!hasMachine(kernel)) {
    TET_ASSIGN_OR_RETURN(const Timing timing,
                         simulateTiming(kernel, std::vector<int64_t>(kernel.stages.size())));
    k.cycles = timing.cycles;
  }
  for (const Port& port : kernel.ports) {
    k.ports.emplace_back(kernel, port);
    k.bytes_per_unit += k.ports.back().beats() * kernel.streams[port.stream].lanes * port.storage_bytes;
  }
  if (k.cycles) {
    const auto all = static_cast<double>(units);
    const double cycles = all * static_cast<double>(*k.cycles + kResetCycles);
    k.info.seconds = {.value = secondsOf(board, cycles, k.hz, all * static_cast<double>(k.bytes_per_unit)),
                      .source = k.source()};
  }
  k.twin = std::make_unique<Twin>(kernel);
  return {};
}

Result<std::unique_ptr<FpgaModule>> FpgaModule::load(const Board& board, const std::filesystem::path& designs,
                                                     Configurations& configurations, const std::string& name,
                                                     std::span<const std::byte> bytes) {
  auto module = std::make_unique<FpgaModule>();
  module->configurations_ = &configurations;
  auto program = readProgram(bytes);
  if (!program) return propagate(program.error().withContext(name));
  module->program_ = std::move(*program);
  if (module->program_.part != board.part) {
    return invalidArgument("{}: the code is for {} and this device is an {}", name, module->program_.part,
                           board.part);
  }
  for (const Kernel& kernel : module->program_.kernels) {
    if (Status status = module->add(board, designs, kernel); !status.ok()) {
      return propagate(status.withContext(fmt::format("{}: kernel {}", name, kernel.symbol)));
    }
  }
  return module;
}

tet_kernel* FpgaModule::find(std::string_view symbol) {
  const auto found = kernels_.find(symbol);
  if (found == kernels_.end()) return nullptr;
  FpgaKernel& kernel = found->second;
  const std::lock_guard lock(kernel.mutex);
  if (!kernel.configuration) kernel.configuration = configurations_->place(kernel.uses);
  return &kernel;
}

}  // namespace tetrarch::fpga
