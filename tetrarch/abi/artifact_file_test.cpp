#include "tetrarch/abi/artifact_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>

#include "tetrarch/abi/test_manifest.h"

namespace tetrarch::abi {
namespace {

class ArtifactFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("tetrarch_artifact_{}", ::getpid());
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "model.tet";
    for (size_t i = 0; i < weights_.size(); ++i) weights_[i] = std::byte(i);
    writer_.addWeights(weights_);
    writer_.addCode(code_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::byte> goodBytes() {
    auto image = writer_.toImage(sampleManifest());
    EXPECT_TRUE(image) << image.error().toString();
    return {image->bytes.begin(), image->bytes.end()};
  }
  size_t filesInFolder() const {
    return std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator());
  }

  std::filesystem::path folder_, path_;
  std::vector<std::byte> weights_ = std::vector<std::byte>(256);
  std::vector<std::byte> code_ = std::vector<std::byte>(100, std::byte{7});
  ArtifactWriter writer_;
};

TEST_F(ArtifactFile, RoundTripsThroughAFile) {
  ASSERT_TRUE(writer_.write(path_, sampleManifest()).ok());
  EXPECT_EQ(filesInFolder(), 1u);
  auto artifact = Artifact::open(path_);
  ASSERT_TRUE(artifact) << artifact.error().toString();
  EXPECT_TRUE((*artifact)->manifest() == sampleManifest());
  EXPECT_EQ((*artifact)->sectionCount(), 3u);
  auto same = [](std::span<const std::byte> a, const std::vector<std::byte>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  EXPECT_TRUE(same((*artifact)->weights(), weights_));
  EXPECT_TRUE(same((*artifact)->bytes(1), code_));
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*artifact)->weights().data()) % TET_ARTIFACT_PAGE, 0u);
}

TEST_F(ArtifactFile, SameInputGivesSameBytes) { EXPECT_EQ(goodBytes(), goodBytes()); }

TEST_F(ArtifactFile, EveryTruncationIsAnError) {
  std::vector<std::byte> good = goodBytes();
  for (size_t n = 0; n < good.size(); n += n < 512 ? 1 : 61) {
    auto artifact = Artifact::fromBytes(std::span(good).first(n), "cut.tet");
    ASSERT_FALSE(artifact) << n;
    EXPECT_TRUE(artifact.error().message().starts_with("cut.tet: ")) << artifact.error().toString();
  }
}

TEST_F(ArtifactFile, EveryFlippedBitIsAnError) {
  std::vector<std::byte> bytes = goodBytes();
  for (size_t i = 0; i < bytes.size(); i += i < 512 ? 1 : 13) {
    bytes[i] ^= std::byte(1 << (i % 8));
    ASSERT_FALSE(Artifact::fromBytes(bytes, "flipped.tet")) << "byte " << i;
    bytes[i] ^= std::byte(1 << (i % 8));
  }
  EXPECT_TRUE(Artifact::fromBytes(bytes, "good.tet"));
}

TEST_F(ArtifactFile, GarbageIsAnError) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::byte> bytes(random() % 1000);
    for (std::byte& b : bytes) b = std::byte(random());
    if (bytes.size() >= 8 && round % 2) std::memcpy(bytes.data(), TET_ARTIFACT_MAGIC, 8);
    EXPECT_FALSE(Artifact::fromBytes(bytes, "garbage"));
  }
}

TEST_F(ArtifactFile, FilesThatAreNoFiles) {
  EXPECT_EQ(Artifact::open(folder_ / "missing.tet").error().code(), StatusCode::kNotFound);
  EXPECT_EQ(Artifact::open(folder_).error().code(), StatusCode::kInvalidArgument);
  std::ofstream(path_).close();
  EXPECT_EQ(Artifact::open(path_).error().code(), StatusCode::kDataLoss);
  std::ofstream(path_)
      << "an ordinary text file, longer than a header of an artifact, which is sixty-four bytes";
  auto text = Artifact::open(path_);
  EXPECT_EQ(text.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(text.error().message().find("tetrarch compile"), std::string_view::npos);
}

TEST_F(ArtifactFile, NothingIsLeftBehindWhenWritingFails) {
  Manifest bad = sampleManifest();
  bad.tasks[0].inputs = {99};
  EXPECT_EQ(writer_.write(path_, bad).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(writer_.write(folder_ / "no" / "folder.tet", sampleManifest()).ok());
  std::filesystem::create_directories(path_ / "taken");  // a folder that rename cannot replace
  EXPECT_FALSE(writer_.write(path_, sampleManifest()).ok());
  EXPECT_EQ(filesInFolder(), 1u);
}

}  // namespace
}  // namespace tetrarch::abi
