#include "tetrarch/devices/conformance/suite.h"

tetrarch::conformance::Subject tetrarch::conformance::subject() {
  return {.plugin = TETRARCH_PLUGIN_UNDER_TEST,
          .options = "",
          .format = "null",
          .blob = toBytes("tetrarch-null 1\nkernel add_one 16 1 2\nkernel twice 16 1 2\nend\n"),
          .computes = false,
          .loss_options = R"({"fail_after_launches":3})"};
}
