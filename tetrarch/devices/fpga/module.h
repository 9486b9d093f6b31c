// A loaded blob of format "fpga": every kernel verified, its cycles, clock and place on the part known.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/devices/fpga/board.h"
#include "tetrarch/devices/fpga/rtl_run.h"
#include "tetrarch/devices/fpga/run.h"
#include "tetrarch/devices/hosted/hosted.h"

namespace tetrarch::fpga {

inline constexpr int64_t kResetCycles = 1;  // before each unit

struct FpgaKernel : tet_kernel {
  const Kernel* kernel = nullptr;
  std::optional<int64_t> cycles;  // of a unit; nothing where they depend on data
  double hz = 0;
  bool is_routed = false;   // the clock is what place and route found for exactly this kernel
  bool is_refused = false;  // there is a report in its place, which is damaged or of something else
  int32_t source() const { return is_routed ? TET_SIMULATED : TET_MODELLED; }  // of its times
  Resources uses;
  int64_t bytes_per_unit = 0;           // through its ports
  std::optional<size_t> configuration;  // that holds it; none before somebody wants it

  // One unit at a time.
  std::mutex mutex;
  std::unique_ptr<Twin> twin;
  std::unique_ptr<RtlUnit> rtl;  // made when first needed
  std::vector<PortRunner> ports;
};

// Which kernels are on the part together, as they are asked for, one after the other, as long as they fit;
// and which of these configurations is loaded. For several threads.
class Configurations {
 public:
  explicit Configurations(const Board& board) : board_(board) {}
  // The one that holds a new kernel. One that gets more kernels has to be loaded again.
  size_t place(const Resources& uses);
  // Whether it was not loaded already.
  bool load(size_t configuration);

 private:
  const Board board_;
  std::mutex mutex_;
  size_t last_ = 0;
  Resources filled_;
  std::optional<size_t> loaded_;
};

class FpgaModule : public tet_module {
 public:
  // InvalidArgument for a blob that is not one or for another part, FailedPrecondition for a kernel that
  // would wait for ever, ResourceExhausted for one that does not fit: each names the kernel.
  // Clocks are those of designs in the folder.
  static Result<std::unique_ptr<FpgaModule>> load(const Board& board, const std::filesystem::path& designs,
                                                  Configurations& configurations, const std::string& name,
                                                  std::span<const std::byte> bytes);
  // Places the kernel on the part: what a program does not use takes no room there.
  tet_kernel* find(std::string_view symbol) override;

 private:
  Status add(const Board& board, const std::filesystem::path& designs, const Kernel& kernel);

  Configurations* configurations_ = nullptr;  // the device's
  Program program_;
  std::map<std::string, FpgaKernel, std::less<>> kernels_;
};

}  // namespace tetrarch::fpga
