#include "tetrarch/base/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tetrarch {
namespace {

class Npy : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / fmt::format("tetrarch_npy_{}.npy", getpid());
  }
  void TearDown() override { std::filesystem::remove(path_); }
  void writeRaw(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }
  std::filesystem::path path_;
};

TEST_F(Npy, RoundTripsScalarsAndArrays) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{2, 3, 4}}) {
    Tensor tensor = Tensor::create(ElementType::F32, shape).value();
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, i + 0.5);
    ASSERT_TRUE(writeNpy(path_, tensor).ok());
    const Tensor back = readNpy(path_).value();
    EXPECT_EQ(back.shape(), shape);
    EXPECT_EQ(difference(back, tensor)->at, -1);
  }
}

TEST_F(Npy, ReadsFortranOrder) {
  std::string header = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n";
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + char(header.size()) + '\0' + header;
  for (int32_t v : {1, 4, 2, 5, 3, 6}) bytes.append(reinterpret_cast<char*>(&v), 4);
  writeRaw(bytes);
  const Tensor tensor = readNpy(path_).value();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(tensor.getInt(i), i + 1);
}

TEST_F(Npy, BadFilesAreErrorsThatNameTheFile) {
  Tensor tensor = Tensor::create(ElementType::F32, {16}).value();
  ASSERT_TRUE(writeNpy(path_, tensor).ok());
  std::ifstream in(path_, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  for (size_t n = 0; n < good.size(); ++n) {
    writeRaw(good.substr(0, n));
    auto result = readNpy(path_);
    ASSERT_FALSE(result.has_value()) << n;
    EXPECT_NE(result.error().message().find(path_.string()), std::string_view::npos);
  }
  std::string lying = good;
  lying.replace(lying.find("(16, )"), 6, "(99999999999,)");
  writeRaw(lying);
  EXPECT_FALSE(readNpy(path_).has_value());
  EXPECT_EQ(readNpy("/nonexistent.npy").error().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tetrarch
