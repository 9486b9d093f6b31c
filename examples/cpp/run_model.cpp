// Compiles an ONNX model for the CPU, runs it on ones, and prints the first values of each output, the time,
// and where each task ran:   run_model model.onnx
#include <algorithm>
#include <cstdio>
#include <string>

#include "tetrarch/api/model.h"

namespace {

// A tensor of ones for an input whose shape is known.
tetrarch::Result<tetrarch::Tensor> ones(const tetrarch::ModelPort& port) {
  TET_ASSIGN_OR_RETURN(tetrarch::Tensor tensor, tetrarch::Tensor::create(port.type, port.shape));
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.setDouble(i, 1);
  return tensor;
}

void print(const tetrarch::ModelPort& port, const tetrarch::Tensor& tensor) {
  std::printf("%s %s:", port.name.c_str(), tetrarch::toString(tensor.type(), tensor.shape()).c_str());
  for (int64_t i = 0; i < std::min<int64_t>(4, tensor.count()); ++i) std::printf(" %g", tensor.getDouble(i));
  std::printf("\n");
}

tetrarch::Status run(const std::string& path) {
  TET_ASSIGN_OR_RETURN(tetrarch::Model model, tetrarch::Model::compile(path, {.devices = {"cpu"}}));
  std::vector<tetrarch::Tensor> inputs;
  for (const tetrarch::ModelPort& port : model.inputs()) {
    TET_ASSIGN_OR_RETURN(tetrarch::Tensor tensor, ones(port));
    inputs.push_back(std::move(tensor));
  }
  TET_ASSIGN_OR_RETURN(const std::vector<tetrarch::Tensor> outputs, model.run(inputs));
  for (size_t i = 0; i < outputs.size(); ++i) print(model.outputs()[i], outputs[i]);
  const tetrarch::Report report = model.report();
  std::printf("%.3f ms (%s)\n", report.time.value * 1e3, report.time.source.c_str());
  for (const tetrarch::TaskReport& task : report.tasks) {
    std::printf("  %s on %s: %s\n", task.name.c_str(), task.parts[0].device.c_str(), task.reason.c_str());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: run_model model.onnx\n");
    return 2;
  }
  const tetrarch::Status status = run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.toString().c_str());
  return tetrarch::exitCode(status);
}
