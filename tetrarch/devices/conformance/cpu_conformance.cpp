#include "tetrarch/devices/conformance/suite.h"

// Two threads, whatever the machine has: the pool's protocol is what is tested.
tetrarch::conformance::Subject tetrarch::conformance::subject() {
  return {.plugin = TETRARCH_PLUGIN_UNDER_TEST,
          .options = R"({"threads":2)" TETRARCH_TEST_OPTIONS "}",
          .format = "elf",
          .blob = readFile(TETRARCH_TEST_KERNELS),
          .has_meter = TETRARCH_TEST_HAS_METER,
          .loss_options = R"({"threads":2,"fail_after_launches":3)" TETRARCH_TEST_OPTIONS "}"};
}
