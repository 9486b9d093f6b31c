#include "tetrarch/base/whole_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tetrarch/base/npy.h"

namespace tetrarch {
namespace {

namespace fs = std::filesystem;

// A folder of its own for each test.
class WholeFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tetrarch-whole-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file() const { return folder_ / "file"; }
  static std::string textOf(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void put(const fs::path& path, const std::string& text) {
    auto file = WholeFile::create(path);
    ASSERT_TRUE(file.has_value()) << file.error().toString();
    ASSERT_TRUE(file->write(text).ok());
    const Status done = file->commit();
    ASSERT_TRUE(done.ok()) << done.toString();
  }
  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(WholeFileTest, IsThereOnceItIsCommitted) {
  put(file(), "first");
  EXPECT_EQ(textOf(file()), "first");
  {
    auto second = WholeFile::create(file());
    ASSERT_TRUE(second.has_value() && second->write("second").ok());
    EXPECT_EQ(textOf(file()), "first") << "seen before it was committed";
  }
  EXPECT_EQ(textOf(file()), "first") << "what was not committed took the file's place";
  put(file(), "third");
  EXPECT_EQ(textOf(file()), "third");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(WholeFileTest, LeavesNothingWhenTheProcessIsKilled) {
  const pid_t child = fork();
  if (child == 0) {
    auto file = WholeFile::create(folder_ / "file");
    const bool wrote = file.has_value() && file->write(std::string(1 << 20, 'x')).ok();
    raise(wrote ? SIGINT : SIGABRT);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WTERMSIG(status), SIGINT);
  EXPECT_EQ(entries(), 0U);
}

// A limit on the size of files stands for a full disk.
TEST_F(WholeFileTest, LeavesNothingWhenItDoesNotFit) {
  put(file(), "before");
  const Tensor tensor = Tensor::create(ElementType::F32, {1 << 20}).value();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {1 << 16, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = writeNpy(file(), tensor);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(file().string()), std::string_view::npos) << status.message();
  EXPECT_EQ(exitCode(status), 2);
  EXPECT_EQ(textOf(file()), "before");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(WholeFileTest, FollowsLinksAndWritesPipesInPlace) {
  put(file(), "first");
  fs::create_symlink("file", folder_ / "link");
  put(folder_ / "link", "second");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(textOf(file()), "second");

  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  put(pipe, "third");
  char text[6] = {};
  EXPECT_EQ(::read(reader, text, sizeof text), 5);
  EXPECT_STREQ(text, "third");
  ::close(reader);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(WholeFileTest, NamesAFolderThatIsNotThere) {
  const fs::path missing = folder_ / "no" / "folder" / "file";
  auto created = WholeFile::create(missing);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().code(), StatusCode::kNotFound);
  EXPECT_NE(created.error().message().find(missing.string()), std::string_view::npos);
  EXPECT_FALSE(WholeFile::create(folder_).has_value()) << "a folder is no file";
  EXPECT_EQ(checkWritable(missing).code(), StatusCode::kNotFound);
  EXPECT_FALSE(checkWritable(folder_).ok());
  EXPECT_TRUE(checkWritable(file()).ok());
  EXPECT_EQ(entries(), 0U) << "asking left something behind";
}

}  // namespace
}  // namespace tetrarch
