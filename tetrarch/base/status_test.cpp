#include "tetrarch/base/status.h"

#include <gtest/gtest.h>

namespace tetrarch {
namespace {

Result<int> half(int x) {
  if (x % 2) return invalidArgument("{} is odd", x);
  return x / 2;
}
Status quarter(int x, int* out) {
  TET_ASSIGN_OR_RETURN(int h, half(x));
  TET_ASSIGN_OR_RETURN(*out, half(h));
  return {};
}

TEST(Status, OkIsOnePointerAndEmpty) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().toString(), "OK");
  EXPECT_EQ(Status().withContext("x").toString(), "OK");
}

TEST(Status, MacrosPassErrorsOn) {
  int out = 0;
  EXPECT_TRUE(quarter(8, &out).ok());
  EXPECT_EQ(out, 2);
  EXPECT_EQ(quarter(6, &out).toString(), "INVALID_ARGUMENT: 3 is odd");
  EXPECT_EQ(quarter(6, &out).withContext("m.onnx").message(), "m.onnx: 3 is odd");
}

TEST(Status, MessagesAreOneLineWhateverTheyName) {
  const Status status(StatusCode::kNotFound, "no 'a\nb\x1b[2J'");
  EXPECT_EQ(status.message(), "no 'a b [2J'");
  EXPECT_EQ(status.withContext("m\r.onnx").message(), "m .onnx: no 'a b [2J'");
}

TEST(Status, ExitCodesSayWhoseFaultItIs) {
  EXPECT_EQ(exitCode({}), 0);
  EXPECT_EQ(exitCode(Status(StatusCode::kNotFound, "")), 2);
  EXPECT_EQ(exitCode(Status(StatusCode::kUnavailable, "")), 3);
  EXPECT_EQ(exitCode(Status(StatusCode::kInternal, "")), 4);
  EXPECT_EQ(exitCode(Status(StatusCode::kDataLoss, "")), 2);
  EXPECT_EQ(exitCode(Status(StatusCode::kInternal, "").onDevice()), 3);
  EXPECT_EQ(exitCode(Status(StatusCode::kInternal, "").onDevice().withContext("run")), 3);
  EXPECT_EQ(Status().onDevice().toString(), "OK");
}

}  // namespace
}  // namespace tetrarch
