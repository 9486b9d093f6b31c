// tet-import: an ONNX model as a tet graph, printed or run by the reference interpreter; and the check that
// runs the test cases of ONNX's conformance suite through both.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"
#include "tetrarch/base/npy.h"
#include "tetrarch/graph/interpreter.h"
#include "tetrarch/import/onnx/import.h"
#include "tetrarch/import/onnx/tensor_data.h"

namespace tetrarch {
namespace {

using Path = std::filesystem::path;
using Tensors = std::vector<Tensor>;
using Module = mlir::OwningOpRef<mlir::ModuleOp>;

// A tensor from a .npy file or from a serialized TensorProto.
Result<Tensor> readTensorFile(const Path& path) {
  if (path.extension() == ".npy") return readNpy(path);
  std::ifstream in(path, std::ios::binary);
  auto data = std::make_shared<onnx::TensorData>();
  if (!in || !data->ParseFromIstream(&in)) return invalidArgument("{}: not a tensor", path.string());
  onnx::TensorSource source{path.parent_path(), data};
  return onnx::readTensor(*data, source);
}

// Imports for these inputs, by position: their shapes are given, and the values of those that decide shapes.
struct Imported {
  Module module;
  Tensors arguments;               // the inputs that remain arguments
  std::vector<std::string> bound;  // the inputs that became constants
};
Result<Imported> importFor(mlir::MLIRContext& context, const Path& path, const Tensors& inputs) {
  TET_ASSIGN_OR_RETURN(const OnnxInterface interface, describeOnnx(path));
  if (inputs.size() > interface.inputs.size())
    return invalidArgument("{}: too many inputs given", path.string());
  OnnxImportOptions options;
  for (size_t i = 0; i < inputs.size(); ++i) options.shapes[interface.inputs[i].name] = inputs[i].shape();
  for (size_t attempt = 0;; ++attempt) {
    OnnxNeeds needs;
    auto module = importOnnx(context, path, options, &needs);
    if (!module.has_value() && !needs.values.empty() && attempt < inputs.size()) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const std::string& name = interface.inputs[i].name;
        if (std::ranges::find(needs.values, name) != needs.values.end()) options.values[name] = inputs[i];
      }
      continue;
    }
    if (!module.has_value()) return propagate(std::move(module).error());
    Imported imported{std::move(*module), {}, {}};
    for (size_t i = 0; i < inputs.size(); ++i) {
      const std::string& name = interface.inputs[i].name;
      if (options.values.contains(name)) {
        imported.bound.push_back(name);
      } else {
        imported.arguments.push_back(inputs[i]);
      }
    }
    return imported;
  }
}

//-- Conformance cases: a folder with model.onnx, input_<i>.pb and output_<i>.pb

Result<Tensors> readSeries(const Path& folder, const std::string& prefix) {
  Tensors tensors;
  for (int i = 0;; ++i) {
    const Path path = folder / fmt::format("{}_{}.pb", prefix, i);
    if (!std::filesystem::exists(path)) return tensors;
    TET_ASSIGN_OR_RETURN(tensors.emplace_back(), readTensorFile(path));
  }
}

// Relative and absolute, as in numpy.testing.assert_allclose; these are the suite's own.
struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;
};

Result<Tolerance> readTolerance(const Path& folder) {
  const Path path = folder / "tolerance.json";
  Tolerance tolerance;
  if (!std::filesystem::exists(path)) return tolerance;
  std::ifstream in(path);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object()) return invalidArgument("{}: not a JSON object", path.string());
  tolerance.relative = json.value("rtol", tolerance.relative);
  tolerance.absolute = json.value("atol", tolerance.absolute);
  return tolerance;
}

// Two steps of bf16 are always allowed; integers must be equal.
bool isClose(const Tensor& actual, const Tensor& expected, int64_t i, const Tolerance& tolerance) {
  if (!isFloat(expected.type())) return actual.getInt(i) == expected.getInt(i);
  const double a = actual.getDouble(i), e = expected.getDouble(i);
  if (std::isnan(a) || std::isnan(e)) return std::isnan(a) && std::isnan(e);
  const double least = expected.type() == ElementType::BF16 ? 1.0 / 64 : 0;
  const double relative = std::max(tolerance.relative, least);
  return a == e || std::fabs(a - e) <= tolerance.absolute + relative * std::fabs(e);
}

std::string firstDifference(const Tensors& actual, const Tensors& expected, const Tolerance& tolerance) {
  for (size_t o = 0; o < expected.size(); ++o) {
    const Tensor& a = actual[o];
    const Tensor& e = expected[o];
    if (a.type() != e.type() || a.shape() != e.shape()) {
      return fmt::format("output {} is {}, expected {}", o, toString(a.type(), a.shape()),
                         toString(e.type(), e.shape()));
    }
    for (int64_t i = 0; i < e.count(); ++i) {
      if (!isClose(a, e, i, tolerance)) {
        return fmt::format("output {} at {} is {}, expected {}", o, i, a.getDouble(i), e.getDouble(i));
      }
    }
  }
  return "";
}

Result<std::string> runCase(const Path& folder, std::vector<std::string>& bound) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  // The model first: a case of strings or sequences is declined by it, not by its data.
  TET_ASSIGN_OR_RETURN(const OnnxInterface interface, describeOnnx(folder / "model.onnx"));
  auto inputs = readSeries(folder, "input");
  if (!inputs.has_value()) {
    auto declined = importOnnx(context, folder / "model.onnx");
    return propagate(declined.has_value() ? inputs.error() : declined.error());
  }
  TET_ASSIGN_OR_RETURN(Imported imported, importFor(context, folder / "model.onnx", *inputs));
  bound = imported.bound;
  TET_ASSIGN_OR_RETURN(const Tensors expected, readSeries(folder, "output"));
  TET_ASSIGN_OR_RETURN(const Tensors actual, tet::interpret(*imported.module, imported.arguments));
  if (actual.size() < expected.size()) return std::string("too few outputs");
  TET_ASSIGN_OR_RETURN(const Tolerance tolerance, readTolerance(folder));
  return firstDifference(actual, expected, tolerance);
}

// One line of JSON a case: {"name", "status": "passed" | "wrong" | "declined", "reason", "bound"}.
int checkCases(const std::string& list) {
  std::ifstream in(list);
  for (std::string folder; std::getline(in, folder);) {
    std::vector<std::string> bound;
    const auto difference = runCase(folder, bound);
    nlohmann::json line{{"name", Path(folder).filename()}, {"bound", bound}};
    line["status"] = !difference.has_value() ? "declined" : difference->empty() ? "passed" : "wrong";
    line["reason"] = difference.has_value() ? *difference : difference.error().toString();
    std::cout << line.dump() << std::endl;
  }
  return 0;
}

//-- One model

struct Options {
  std::string model, check, out;
  std::vector<std::string> dims, inputs;
  bool interpret = false;
};

Result<OnnxImportOptions> readDims(const std::vector<std::string>& dims) {
  OnnxImportOptions options;
  for (const std::string& text : dims) {
    const size_t equals = text.find('=');
    char* end = nullptr;
    const int64_t size = equals == std::string::npos ? -1 : std::strtoll(text.c_str() + equals + 1, &end, 10);
    if (size < 0 || *end != '\0') return invalidArgument("--dim {} is not name=size", text);
    options.dims[text.substr(0, equals)] = size;
  }
  return options;
}

Status run(const Options& arguments) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  if (!arguments.interpret) {
    TET_ASSIGN_OR_RETURN(const OnnxImportOptions options, readDims(arguments.dims));
    TET_ASSIGN_OR_RETURN(Module module, importOnnx(context, Path(arguments.model), options));
    mlir::OpPrintingFlags flags;
    flags.elideLargeElementsAttrs(16).elideLargeResourceString(16);
    module->print(llvm::outs(), flags);
    return {};
  }
  Tensors inputs;
  for (const std::string& path : arguments.inputs) {
    TET_ASSIGN_OR_RETURN(inputs.emplace_back(), readTensorFile(path));
  }
  TET_ASSIGN_OR_RETURN(Imported imported, importFor(context, arguments.model, inputs));
  TET_ASSIGN_OR_RETURN(const Tensors outputs, tet::interpret(*imported.module, imported.arguments));
  for (size_t i = 0; i < outputs.size(); ++i) {
    TET_RETURN_IF_ERROR(writeNpy(Path(arguments.out) / fmt::format("output_{}.npy", i), outputs[i]));
  }
  return {};
}

}  // namespace
}  // namespace tetrarch

int main(int argc, char** argv) {
  tetrarch::Options options;
  CLI::App app("Imports an ONNX model and prints the graph, or runs it with the reference interpreter.");
  app.footer(
      "Examples:\n  tet-import model.onnx --dim batch=1\n  tet-import model.onnx --interpret x.npy --out "
      "results");
  app.add_option("model", options.model, "the model, an .onnx file");
  app.add_option("--dim", options.dims, "name=size of a named dimension; repeatable");
  app.add_option("--interpret", options.inputs, "inputs by position, .npy or .pb files");
  app.add_option("--out", options.out, "folder for output_<i>.npy")->default_val(".");
  app.add_option("--check", options.check, "a file that lists folders of conformance cases, one a line");
  CLI11_PARSE(app, argc, argv);
  options.interpret = app.count("--interpret") > 0;
  if (!options.check.empty()) return tetrarch::checkCases(options.check);
  const tetrarch::Status status = tetrarch::run(options);
  if (!status.ok()) fmt::print(stderr, "tet-import: {}\n", status.toString());
  return tetrarch::exitCode(status);
}
