#include "tetrarch/devices/npu/config.h"

namespace tetrarch::npu {

Config Config::standard(int64_t side, Kind kind) {
  Config config{.side = side, .kind = kind};
  config.sp_rows = kSpBytes / config.spRowBytes();
  config.acc_rows = kAccBytes / config.accRowBytes();
  return config;
}

Status check(const Config& config) {
  if (config.side != 8 && config.side != 16 && config.side != 32) {
    return invalidArgument("an NPU has side 8, 16 or 32, not {}", config.side);
  }
  if (config.sp_rows < kSpBanks || config.sp_rows > kMaxSpRows || config.sp_rows % kSpBanks != 0) {
    return invalidArgument("a scratchpad has {} to {} rows, a multiple of {}, not {}", kSpBanks, kMaxSpRows,
                           kSpBanks, config.sp_rows);
  }
  if (config.acc_rows < kAccBanks || config.acc_rows > kMaxAccRows || config.acc_rows % kAccBanks != 0) {
    return invalidArgument("an accumulator memory has {} to {} rows, a multiple of {}, not {}", kAccBanks,
                           kMaxAccRows, kAccBanks, config.acc_rows);
  }
  if (config.latency < 1 || config.latency > 1023) {
    return invalidArgument("the read latency is 1 to 1023 cycles, not {}", config.latency);
  }
  return {};
}

}  // namespace tetrarch::npu
