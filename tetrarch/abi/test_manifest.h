// A small valid manifest for tests: y = f(x, w), then z = g(reshape(y)), one CPU code blob, one plan.
#pragma once

#include "tetrarch/abi/artifact.h"
#include "tetrarch/abi/manifest.h"

namespace tetrarch::abi {

inline std::vector<SectionSummary> sampleSections() {
  return {{TET_SECTION_WEIGHTS, 256}, {TET_SECTION_CODE, 100}, {TET_SECTION_MANIFEST, 0}};
}

inline Manifest sampleManifest() {
  Manifest m;
  m.model = "sample";
  m.source = "sample.onnx";
  m.source_hash = "00ff";
  m.dims = {{"batch", 2}};
  m.precision = "int8";
  m.tensors = {{ElementType::F32, {2, 4}, 32, TensorKind::Input},
               {ElementType::F32, {4, 4}, 64, TensorKind::Constant, 64},
               {ElementType::F32, {2, 4}, 32, TensorKind::Temporary},
               {ElementType::F32, {8}, 32, TensorKind::Temporary, 0, 2},
               {ElementType::F32, {8}, 32, TensorKind::Temporary}};
  m.inputs = {{"x", ElementType::F32, {2, 4}, 0}};
  m.outputs = {{"z", ElementType::F32, {8}, 4}};
  m.tasks = {{"matmul_0", "dot_general", "aa", {0, 1}, {2}, 64, 128},
             {"relu_1", "maximum", "bb", {3}, {4}, 8, 64, 0.01, 0.5}};
  CodeEntry code{"cpu", DeviceClass::Cpu, "elf", "avx2 fma", 1};
  code.kernels = {{"k0", "", 4, 1, 128, 2, 1, 0.75}, {"k1", "", 1}};
  m.code = {code};
  m.costs = {{0, "cpu", 1e-6, 1e-8, std::nullopt, Source::Measured},
             {1, "cpu", 2e-6, 0, 1e-3, Source::Modelled, Source::Modelled}};
  PlanEntry plan{"fastest", {{"cpu", R"({"threads":1})"}, {"opencl", ""}}};
  plan.placement = {{{0, 0, 1}, {1, 1, 4}}, {{1}}};
  plan.seconds = 3e-6;
  plan.lower_bound_seconds = 2e-6;
  plan.singles = {{0, 4e-6, Source::Measured}};
  plan.reasons = {"split because it is long", "its input is there"};
  PlanEntry fused{"cpu", {{"cpu", ""}}};
  fused.placement = {{{0}}, {{0}}};
  fused.code = {{0, 0, 1, {{0, "segment_0", {0.75, 0.25}, {0.5, 0}}}}};
  m.plans = {plan, fused};
  m.maker = {"0.1.0", "22", "a CPU", "avx2 fma"};
  return m;
}

}  // namespace tetrarch::abi
