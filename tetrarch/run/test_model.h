// Models for tests, made of the conformance suite's CPU kernels on f32[1024]: add_one, twice, add.
#pragma once

#include <fstream>
#include <iterator>
#include <random>

#include "tetrarch/run/program.h"

namespace tetrarch::run {

inline constexpr int64_t kElements = 1024;
inline constexpr uint64_t kUnits = 16;

// Collects tensors and tasks; tensors are named by index.
class TestModel {
 public:
  TestModel() { manifest.model = "test"; }

  int input() {
    int t = tensor(abi::TensorKind::Input);
    manifest.inputs.push_back(
        {fmt::format("in{}", manifest.inputs.size()), ElementType::F32, {kElements}, t});
    return t;
  }
  int constant(float value) {
    int t = tensor(abi::TensorKind::Constant);
    manifest.tensors[t].offset = weights.size() * sizeof(float);
    weights.insert(weights.end(), kElements, value);
    return t;
  }
  int alias(int of, Shape shape) {
    abi::TensorEntry entry = manifest.tensors[of];
    entry.shape = std::move(shape);
    entry.alias_of = of;
    entry.offset = 0;
    manifest.tensors.push_back(entry);
    return static_cast<int>(manifest.tensors.size()) - 1;
  }
  // `symbol` of cpu_kernels.c.
  int task(const std::string& symbol, std::vector<int> inputs) {
    int out = tensor(abi::TensorKind::Temporary);
    abi::TaskEntry entry;
    entry.name = fmt::format("{}_{}", symbol, manifest.tasks.size());
    entry.root = entry.hash = symbol;
    entry.inputs = std::move(inputs);
    entry.outputs = {out};
    entry.bytes = kElements * 8;
    manifest.tasks.push_back(entry);
    abi::KernelEntry kernel;
    kernel.symbol = symbol;
    kernel.units = symbol == "one_unit" ? 1 : kUnits;
    kernel.granularity = symbol == "by_fours" ? 4 : 1;
    kernel.rows = kernel.units;
    kernels.push_back(kernel);
    return out;
  }
  void output(int t) {
    manifest.outputs.push_back(
        {fmt::format("out{}", manifest.outputs.size()), ElementType::F32, manifest.tensors[t].shape, t});
  }

  Result<std::shared_ptr<const abi::Artifact>> artifact() {
    std::ifstream file(TETRARCH_TEST_KERNELS, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(file), {});
    std::string null =
        "tetrarch-null 1\nkernel add_one 16 1 2\nkernel twice 16 1 2\nkernel add 16 1 3\nend\n";
    abi::ArtifactWriter writer;
    writer.addWeights(std::as_bytes(std::span(weights)));
    writer.addCode(std::as_bytes(std::span(text)));
    writer.addCode(std::as_bytes(std::span(null)));
    manifest.code = {{"cpu", abi::DeviceClass::Cpu, "elf", "", 1},
                     {"null", abi::DeviceClass::Other, "null", "", 2}};
    for (abi::CodeEntry& code : manifest.code) code.kernels = kernels;
    TET_ASSIGN_OR_RETURN(abi::ArtifactWriter::Image image, writer.toImage(manifest));
    return abi::Artifact::fromBytes(image.bytes, "test.tet", image.owner);
  }

  abi::Manifest manifest;
  std::vector<float> weights;
  std::vector<abi::KernelEntry> kernels;

 private:
  int tensor(abi::TensorKind kind) {
    manifest.tensors.push_back({ElementType::F32, {kElements}, kElements * sizeof(float), kind});
    return static_cast<int>(manifest.tensors.size()) - 1;
  }
};

// What the model computes, by hand.
inline std::vector<std::vector<float>> reference(const abi::Manifest& m, const std::vector<float>& weights,
                                                 std::span<const Tensor> inputs) {
  std::vector<std::vector<float>> values(m.tensors.size());
  for (size_t t = 0; t < m.tensors.size(); ++t) {
    if (m.tensors[t].kind != abi::TensorKind::Constant) continue;
    auto begin = weights.begin() + static_cast<std::ptrdiff_t>(m.tensors[t].offset / sizeof(float));
    values[t].assign(begin, begin + kElements);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const float* begin = inputs[i].as<float>();
    values[m.inputs[i].tensor].assign(begin, begin + kElements);
  }
  for (const abi::TaskEntry& task : m.tasks) {
    const auto& a = values[rootTensor(m, task.inputs[0])];
    const auto& b = values[rootTensor(m, task.inputs.back())];
    std::vector<float> out(kElements);
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = task.root == "twice" ? a[i] * 2 : task.root == "add" ? a[i] + b[i] : a[i] + 1;
    }
    values[task.outputs[0]] = out;
  }
  std::vector<std::vector<float>> outputs;
  for (const abi::Port& port : m.outputs) outputs.push_back(values[rootTensor(m, port.tensor)]);
  return outputs;
}

inline Tensor ramp(float begin) {
  Tensor tensor = Tensor::create(ElementType::F32, {kElements}).value();
  for (int64_t i = 0; i < kElements; ++i) tensor.as<float>()[i] = begin + static_cast<float>(i % 97);
  return tensor;
}

}  // namespace tetrarch::run
