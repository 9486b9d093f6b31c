#include "tetrarch/base/trace.h"

#include <gtest/gtest.h>

namespace tetrarch {
namespace {

TEST(Trace, WritesTracksAndEventsAsJson) {
  Trace trace;
  const int cpu = trace.addTrack("cpu \"0\"");
  trace.add(cpu, "conv\n1", 1000, 3500, "{\"bytes\":4}");
  const std::string json = trace.toJson();
  EXPECT_NE(json.find("\"name\":\"cpu \\\"0\\\"\""), std::string::npos);
  EXPECT_NE(json.find("\"name\":\"conv\\u000a1\",\"ts\":1.000,\"dur\":2.500,\"args\":{\"bytes\":4}"),
            std::string::npos);
  EXPECT_EQ(trace.size(), 1u);
  EXPECT_EQ(trace.write("/nonexistent/t.json").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tetrarch
