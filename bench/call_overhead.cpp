// What one call of a model costs from C++: call_overhead <model.onnx> <calls> prints the median in seconds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tetrarch/api/model.h"
#include "tetrarch/base/trace.h"

namespace {

using tetrarch::Model;
using tetrarch::Result;
using tetrarch::Tensor;

// Tensors of the model's input shapes, which must be static.
Result<std::vector<Tensor>> inputsOf(const Model& model) {
  std::vector<Tensor> inputs;
  for (const auto& port : model.inputs()) {
    TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(port.type, port.shape));
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Result<double> medianCall(const char* path, int calls) {
  TET_ASSIGN_OR_RETURN(Model model, Model::compile(path));
  TET_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, inputsOf(model));
  TET_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, model.run(inputs));
  std::vector<int64_t> nanoseconds;
  nanoseconds.reserve(calls);
  for (int i = 0; i < calls; ++i) {
    const int64_t begin = tetrarch::nowNs();
    TET_RETURN_IF_ERROR(model.runInto(inputs, outputs));
    nanoseconds.push_back(tetrarch::nowNs() - begin);
  }
  std::ranges::nth_element(nanoseconds, nanoseconds.begin() + calls / 2);
  return static_cast<double>(nanoseconds[calls / 2]) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  const int calls = argc == 3 ? std::atoi(argv[2]) : 0;
  if (calls < 1) {
    std::fputs("usage: call_overhead <model.onnx> <calls>\n", stderr);
    return 2;
  }
  const auto seconds = medianCall(argv[1], calls);
  if (!seconds) {
    std::fprintf(stderr, "%s\n", seconds.error().toString().c_str());
    return 1;
  }
  std::printf("%.9e\n", *seconds);
}
