#include "tetrarch/api/retune.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/api/model.h"
#include "tetrarch/import/onnx/test_models.h"

namespace tetrarch {
namespace {

namespace fs = std::filesystem;

// A folder of its own for each test: artifacts, the profile and what is kept beside it.
class RetuneTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fs::path("tetrarch-retune-XXXXXX");
    std::string name = folder_.string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    setenv("TETRARCH_PROFILE", (folder_ / "profile.db").c_str(), 1);
    auto bytes = onnx::reluModel().SerializeAsString();
    auto model =
        Model::compile(std::as_bytes(std::span(bytes)), "relu", folder_, {.devices = {"cpu:threads=1"}});
    ASSERT_TRUE(model.has_value()) << model.error().toString();
    ASSERT_TRUE(model->save(here()).ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path here() const { return folder_ / "here.tet"; }
  fs::path elsewhere() const { return folder_ / "elsewhere.tet"; }

  // What a maker with another CPU would have written: only code that runs everywhere.
  void writeElsewhere() {
    auto artifact = abi::Artifact::open(here());
    ASSERT_TRUE(artifact.has_value()) << artifact.error().toString();
    abi::Manifest manifest = (*artifact)->manifest();
    manifest.maker.host = "another-cpu";
    manifest.maker.host_features = "sse2";
    const int kept = manifest.code.front().section;
    manifest.code.resize(1);
    abi::ArtifactWriter writer;
    if (!(*artifact)->weights().empty()) writer.addWeights((*artifact)->weights());
    manifest.code[0].section = writer.addCode((*artifact)->bytes(kept));
    writer.addTasks(std::as_bytes(std::span((*artifact)->tasks())));
    ASSERT_TRUE(writer.write(elsewhere(), manifest).ok());
  }

  size_t keptArtifacts() const {
    const fs::path kept = folder_ / "artifacts";
    if (!fs::exists(kept)) return 0;
    return static_cast<size_t>(std::distance(fs::directory_iterator(kept), fs::directory_iterator()));
  }

  // How many kinds of CPU a model loaded from `path` has code for.
  static size_t codeOf(Model& model, const fs::path& path) {
    EXPECT_TRUE(model.save(path).ok());
    auto artifact = abi::Artifact::open(path);
    return artifact ? (*artifact)->manifest().code.size() : 0;
  }

  static void expectRelu(Model& model) {
    auto x = Tensor::create(ElementType::F32, {2, 3});
    ASSERT_TRUE(x.has_value());
    auto* values = static_cast<float*>(x->data());
    for (int i = 0; i < 6; ++i) values[i] = static_cast<float>(i - 3);
    auto outputs = model.run({*x});
    ASSERT_TRUE(outputs.has_value()) << outputs.error().toString();
    const auto* y = static_cast<const float*>(outputs->front().data());
    for (int i = 0; i < 6; ++i) EXPECT_EQ(y[i], std::max(0.0F, static_cast<float>(i - 3)));
  }

  fs::path folder_;
};

TEST_F(RetuneTest, KeepsWhatWasMadeHere) {
  auto model = Model::load(here());
  ASSERT_TRUE(model.has_value()) << model.error().toString();
  expectRelu(*model);
  EXPECT_EQ(keptArtifacts(), 0U);
}

TEST_F(RetuneTest, MakesCodeAnewForAnotherMachineAndKeepsIt) {
  writeElsewhere();
  auto model = Model::load(elsewhere());
  ASSERT_TRUE(model.has_value()) << model.error().toString();
  expectRelu(*model);
  EXPECT_EQ(codeOf(*model, folder_ / "tuned.tet"),
            abi::Artifact::open(here()).value()->manifest().code.size());
  EXPECT_EQ(keptArtifacts(), 1U);

  std::vector<std::string> stages;
  auto again = Model::load(elsewhere(),
                           {.progress = [&](const Progress& progress) { stages.push_back(progress.stage); }});
  ASSERT_TRUE(again.has_value()) << again.error().toString();
  expectRelu(*again);
  EXPECT_TRUE(stages.empty()) << "it compiled again: " << stages.front();
}

TEST_F(RetuneTest, LeavesAloneWhatShallNotBeTuned) {
  writeElsewhere();
  auto model = Model::load(elsewhere(), {.retune = false});
  ASSERT_TRUE(model.has_value()) << model.error().toString();
  expectRelu(*model);
  EXPECT_EQ(codeOf(*model, folder_ / "same.tet"), 1U);
  EXPECT_EQ(keptArtifacts(), 0U);
}

TEST_F(RetuneTest, CompilesAnArtifactForOtherDevices) {
  auto model = Model::compile(here(), {.devices = {"cpu:threads=2"}});
  ASSERT_TRUE(model.has_value()) << model.error().toString();
  expectRelu(*model);
  EXPECT_EQ(model->report().devices.front().name, "cpu:threads=2");
  EXPECT_FALSE(Model::compile(here(), {.dims = {{"batch", 2}}}).has_value());
}

TEST_F(RetuneTest, RefusesTasksThatMakeNoSense) {
  auto artifact = abi::Artifact::open(here());
  ASSERT_TRUE(artifact.has_value());
  const std::string tasks((*artifact)->tasks());
  const std::string other = std::string(tasks).replace(tasks.find("2x3xf32"), 7, "2x9xf32");
  for (const std::string& text :
       {std::string("nonsense"), std::string("module {}"), tasks.substr(0, 60), other}) {
    abi::ArtifactWriter writer;
    abi::Manifest manifest = (*artifact)->manifest();
    manifest.code.clear();
    manifest.plans.clear();
    writer.addTasks(std::as_bytes(std::span(text)));
    ASSERT_TRUE(writer.write(elsewhere(), manifest).ok());
    auto model = Model::compile(elsewhere(), {.devices = {"cpu"}});
    ASSERT_FALSE(model.has_value()) << text;
    EXPECT_EQ(model.error().code(), StatusCode::kInvalidArgument) << model.error().toString();
    EXPECT_NE(model.error().toString().find("elsewhere.tet"), std::string::npos) << model.error().toString();
  }
}

}  // namespace
}  // namespace tetrarch
