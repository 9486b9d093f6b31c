#include "tetrarch/abi/manifest.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tetrarch/abi/test_manifest.h"

namespace tetrarch::abi {
namespace {

TEST(Manifest, RoundTripKeepsEverything) {
  Manifest manifest = sampleManifest();
  std::string json = toJson(manifest);
  auto parsed = parseManifest(json, sampleSections());
  ASSERT_TRUE(parsed) << parsed.error().toString();
  EXPECT_TRUE(*parsed == manifest);
  EXPECT_EQ(toJson(*parsed), json);
  EXPECT_NE(json.find(R"("placement":[[[0,0,1],[1,1,4]],1])"), std::string::npos) << json;
}

TEST(Manifest, EmptyModelIsValid) { EXPECT_TRUE(parseManifest(toJson(Manifest{}), {})); }

TEST(Manifest, UnknownKeysAreSkipped) {
  std::string json = toJson(sampleManifest());
  json.insert(1, R"("of_the_future":[{}],)");
  EXPECT_TRUE(parseManifest(json, sampleSections()));
}

// One row a rule: break it, expect the sentence.
struct Broken {
  const char* message;
  std::function<void(Manifest&)> damage;
};
class ManifestRule : public testing::TestWithParam<Broken> {};

TEST_P(ManifestRule, IsChecked) {
  Manifest manifest = sampleManifest();
  GetParam().damage(manifest);
  auto parsed = parseManifest(toJson(manifest), sampleSections());
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(parsed.error().message().find(GetParam().message), std::string_view::npos)
      << parsed.error().toString();
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Broken kBroken[] = {
    {"dims: 'batch' = -1", [](Manifest& m) { m.dims["batch"] = -1; }},
    {"tensors[0]: 2x4xf32 has not 31 bytes", [](Manifest& m) { m.tensors[0].bytes = 31; }},
    {"tensors[0]", [](Manifest& m) { m.tensors[0].shape = {-2, -4}; }},
    {"tensors[0]", [](Manifest& m) { m.tensors[0].shape = {int64_t{1} << 40, int64_t{1} << 40}; }},
    {"tensors[3]: alias of 3, which is not an earlier", [](Manifest& m) { m.tensors[3].alias_of = 3; }},
    {"tensors[3]: alias of 99", [](Manifest& m) { m.tensors[3].alias_of = 99; }},
    {"tensors[3]: alias_of is -5", [](Manifest& m) { m.tensors[3].alias_of = -5; }},
    {"tensors[3]: differs in bytes or kind", [](Manifest& m) { m.tensors[3].alias_of = 0; }},
    {"tensors[4]: alias of 3, which is an alias", [](Manifest& m) { m.tensors[4].alias_of = 3; }},
    {"tensors[1]: offset 65 is not a multiple", [](Manifest& m) { m.tensors[1].offset = 65; }},
    {"tensors[1]: 64 bytes at offset 256 lie outside", [](Manifest& m) { m.tensors[1].offset = 256; }},
    {"lie outside", [](Manifest& m) { m.tensors[1].offset = UINT64_MAX - 63; }},
    {"inputs[0]: 77 is not a tensor", [](Manifest& m) { m.inputs[0].tensor = 77; }},
    {"inputs[0]: 'x' is 9xf32 but", [](Manifest& m) { m.inputs[0].shape = {9}; }},
    {"inputs[0]: the name ''", [](Manifest& m) { m.inputs[0].name.clear(); }},
    {"inputs[1]: the name 'x'", [](Manifest& m) { m.inputs.push_back(m.inputs[0]); }},
    {"is no input of its own", [](Manifest& m) { m.inputs[0] = {"y", ElementType::F32, {2, 4}, 2}; }},
    {"tasks[0]: 'matmul_0' reads tensor 0 before", [](Manifest& m) { m.inputs.clear(); }},
    {"tasks[0]: 12 is not a tensor", [](Manifest& m) { m.tasks[0].inputs[0] = 12; }},
    {"tasks[0]: 'matmul_0' reads tensor 4 before", [](Manifest& m) { m.tasks[0].inputs[0] = 4; }},
    {"tasks[0]: 'matmul_0' writes tensor 0", [](Manifest& m) { m.tasks[0].outputs[0] = 0; }},
    {"tasks[1]: 'relu_1' writes tensor 2", [](Manifest& m) { m.tasks[1].outputs[0] = 2; }},
    {"has no output", [](Manifest& m) { m.tasks[1].outputs.clear(); }},
    {"tasks[1]: the name 'matmul_0'", [](Manifest& m) { m.tasks[1].name = "matmul_0"; }},
    {"outputs[0]: 'z' is never written",
     [](Manifest& m) { m.tasks.pop_back(), m.code.clear(), m.costs.clear(); }},
    {"code[0]: section 0 does not exist or is of another", [](Manifest& m) { m.code[0].section = 0; }},
    {"code[0]: section -1", [](Manifest& m) { m.code[0].section = -1; }},
    {"code[0]: section 9", [](Manifest& m) { m.code[0].binary = 9; }},
    {"code[0]: 1 kernels for 2 tasks", [](Manifest& m) { m.code[0].kernels.pop_back(); }},
    {"code[0]: kernels[0]", [](Manifest& m) { m.code[0].kernels[0].granularity = 0; }},
    {"kernels[0]: 5 units cannot be 2 equal", [](Manifest& m) { m.code[0].kernels[0].units = 5; }},
    {"costs[0]: 2 is not a task", [](Manifest& m) { m.costs[0].task = 2; }},
    {"costs[1].joules: expected a number", [](Manifest& m) { m.costs[1].joules = kInfinity; }},
    {"costs[0]: a negative", [](Manifest& m) { m.costs[0].seconds = -1; }},
    {"plans[0]: 1 places for 2 tasks", [](Manifest& m) { m.plans[0].placement.pop_back(); }},
    {"placement[1]: no device", [](Manifest& m) { m.plans[0].placement[1].clear(); }},
    {"placement[1]: 2 is not a device", [](Manifest& m) { m.plans[0].placement[1][0].device = 2; }},
    {"placement[0]: the range ends", [](Manifest& m) { m.plans[0].placement[0][0] = {0, 3, 1}; }},
    {"1 reasons for 2 tasks", [](Manifest& m) { m.plans[0].reasons.pop_back(); }},
    {"code[0]: 1 is not a device", [](Manifest& m) { m.plans[1].code[0].device = 1; }},
    {"code[0]: 1 is not code of the tasks", [](Manifest& m) { m.plans[1].code[0].code = 1; }},
    {"code[0]: section 0 does not exist", [](Manifest& m) { m.plans[1].code[0].section = 0; }},
    {"code[0]: 1 kernels for 2 tasks", [](Manifest& m) { m.plans[1].code[0].kernels.resize(1); }},
    {"segments[0]: it begins at task 2", [](Manifest& m) { m.plans[1].code[0].segments[0].first_task = 2; }},
    {"segments[0]: no symbol", [](Manifest& m) { m.plans[1].code[0].segments[0].utilisation.pop_back(); }},
    {"segments[0]: no symbol", [](Manifest& m) { m.plans[1].code[0].segments[0].first_task = 1; }},
    {"task 1 is not placed whole", [](Manifest& m) { m.plans[1].placement[1] = {{0, 0, 1}, {0, 1, 4}}; }},
    {"segments[0]: a negative", [](Manifest& m) { m.plans[1].code[0].segments[0].shares[1] = -1; }},
    {"segments[1]: it begins at task 0",
     [](Manifest& m) { m.plans[1].code[0].segments.push_back(m.plans[1].code[0].segments[0]); }},
};
INSTANTIATE_TEST_SUITE_P(All, ManifestRule, testing::ValuesIn(kBroken));

TEST(Manifest, HostileJsonIsAnError) {
  const std::string deep(100000, '[');
  const std::string rows[] = {"",
                              "{",
                              "null",
                              "[]",
                              "{}",
                              "\xff\xfe",
                              deep,
                              R"({"model":1})",
                              R"({"model":"\ud800"})",
                              std::string("\0{}", 3)};
  for (const std::string& row : rows) {
    auto parsed = parseManifest(row, {});
    ASSERT_FALSE(parsed) << row.substr(0, 20);
    EXPECT_EQ(parsed.error().code(), StatusCode::kInvalidArgument);
  }
}

TEST(Manifest, EveryPrefixAndEveryWrongTypeIsAnError) {
  std::string json = toJson(sampleManifest());
  for (size_t n = 0; n < json.size(); n += 7)
    EXPECT_FALSE(parseManifest(json.substr(0, n), sampleSections()));
  for (size_t at = json.find(':'); at != std::string::npos; at = json.find(':', at + 1)) {
    std::string changed = json;
    changed.replace(at + 1, 1, "true,\"\":");  // whatever stood there is a boolean now
    (void)parseManifest(changed, sampleSections());
  }
}

TEST(Manifest, ErrorsNameThePath) {
  std::string json = toJson(sampleManifest());
  size_t at = json.find("\"inputs\":[0,1]");
  json.replace(at, 14, "\"inputs\":[0,1.5]");
  EXPECT_EQ(parseManifest(json, sampleSections()).error().message(),
            "tasks[0].inputs[1]: expected a whole number");
}

}  // namespace
}  // namespace tetrarch::abi
