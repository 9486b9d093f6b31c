#include <algorithm>
#include <charconv>
#include <memory>
#include <random>

#include "tetrarch/base/npy.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

constexpr uint32_t kSeed = 1;

std::vector<std::string> splitCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size() && !text.empty();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Result<int64_t> parseSize(const std::string& text, std::string_view option) {
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < 0) {
    return invalidArgument("{}: '{}' is not a size", option, text);
  }
  return size;
}

Result<std::vector<int64_t>> parseShape(const std::string& text) {
  std::vector<int64_t> shape;
  for (const std::string& part : splitCommas(text)) {
    TET_ASSIGN_OR_RETURN(const int64_t size, parseSize(part, "--shape"));
    shape.push_back(size);
  }
  return shape;
}

// Floats in [-1, 1), integers in [0, 8): small enough to be an index of most tables.
Result<Tensor> randomTensor(const ModelPort& port, std::mt19937& random) {
  if (!port.ranked || std::find(port.shape.begin(), port.shape.end(), -1) != port.shape.end()) {
    return invalidArgument(
        "input '{}' has no fixed shape to fill at random; give --input {}=file.npy, or --dim or --shape",
        port.name, port.name);
  }
  TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(port.type, port.shape));
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    if (isFloat(port.type)) {
      tensor.setDouble(i, uniform(random));
    } else {
      tensor.setInt(i, static_cast<int64_t>(random() % 8));
    }
  }
  return tensor;
}

std::string namesOf(const std::vector<ModelPort>& ports) {
  std::string names, separator;
  for (const ModelPort& port : ports) names += separator + port.name, separator = ", ";
  return names.empty() ? "none" : names;
}

}  // namespace

void addRepeated(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                 const std::string& description) {
  // One value each time: what follows it may be the model.
  app.add_option(name, values, description + "; may be repeated")->allow_extra_args(false);
}

Result<std::map<std::string, std::string>> keyValues(const std::vector<std::string>& texts,
                                                     std::string_view option) {
  std::map<std::string, std::string> out;
  for (const std::string& text : texts) {
    const size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      return invalidArgument("{}: '{}' is not of the form name=value", option, text);
    }
    if (!out.emplace(text.substr(0, equals), text.substr(equals + 1)).second) {
      return invalidArgument("{}: '{}' is given twice", option, text.substr(0, equals));
    }
  }
  return out;
}

void ModelOptions::add(CLI::App& app) {
  app.add_option("model", model, "an ONNX model, or an artifact made by `tetrarch compile`")->required();
  app.add_option("--devices", devices,
                 "devices to use, as cpu:threads=1,opencl:0 (default: cpu, or the artifact's)");
  app.add_option("--place", place,
                 "force placement: devices that must each run something, or a JSON file {task: device}");
  addRepeated(app, "--dim", dims, "size of a named dimension, as batch=8");
  addRepeated(app, "--shape", shapes, "whole shape of an input, as image=1,3,224,224");
  addRepeated(app, "--value", values, "an input that becomes a constant, as sizes=sizes.npy");
  app.add_option(
      "--quantize", quantize,
      "compute in narrower numbers: int8, which needs --calibrate, or bf16, whose error it measures");
  addRepeated(app, "--calibrate", calibrate,
              "samples of an input, along its first dimension, as image=images.npy");
  app.add_option("--profile", profile,
                 "file of measured costs (default: $TETRARCH_PROFILE or ~/.cache/tetrarch/profile.db)");
  app.add_flag("--no-measure", no_measure, "plan from estimates; time nothing");
  app.add_flag("--no-divide", no_divide, "never divide one task over several devices");
  app.add_flag(
      "--no-retune", no_retune,
      "run an artifact of another machine, or a placement that it was not made for, with the code that "
      "it brings");
  app.add_flag("-q,--quiet", quiet, "show no progress");
}

Result<CompileOptions> ModelOptions::compileOptions() const {
  CompileOptions options;
  options.devices = splitCommas(devices);
  options.place = place;
  options.profile = profile;
  options.measure = !no_measure;
  options.divide = !no_divide;
  TET_ASSIGN_OR_RETURN(const auto sizes, keyValues(dims, "--dim"));
  for (const auto& [name, text] : sizes) {
    TET_ASSIGN_OR_RETURN(options.dims[name], parseSize(text, "--dim " + name));
  }
  TET_ASSIGN_OR_RETURN(const auto whole, keyValues(shapes, "--shape"));
  for (const auto& [name, text] : whole) {
    TET_ASSIGN_OR_RETURN(options.shapes[name], parseShape(text));
  }
  TET_ASSIGN_OR_RETURN(const auto files, keyValues(values, "--value"));
  for (const auto& [name, file] : files) {
    TET_ASSIGN_OR_RETURN(options.values[name], readNpy(file));
  }
  options.quantize = quantize;
  TET_ASSIGN_OR_RETURN(const auto samples, keyValues(calibrate, "--calibrate"));
  if (!samples.empty()) options.calibration.emplace_back();
  for (const auto& [name, file] : samples) {
    TET_ASSIGN_OR_RETURN(options.calibration[0][name], readNpy(file));
  }
  if (!quiet) {
    auto display = std::make_shared<ProgressDisplay>();
    options.progress = [display](const Progress& progress) { display->update(progress); };
  }
  return options;
}

Result<Model> openModel(const ModelOptions& options, CompileOptions compile) {
  if (!isArtifact(options.model)) return Model::compile(options.model, std::move(compile));
  const bool shapes = !options.dims.empty() || !options.shapes.empty() || !options.values.empty();
  if (shapes || !options.quantize.empty() || !options.calibrate.empty()) {
    return invalidArgument(
        "{}: an artifact is compiled; --dim, --shape, --value, --quantize and --calibrate belong to its "
        "compilation",
        options.model);
  }
  return Model::load(options.model, {.devices = std::move(compile.devices),
                                     .place = options.place,
                                     .retune = !options.no_retune,
                                     .measure = compile.measure,
                                     .progress = std::move(compile.progress)});
}

void TensorOptions::add(CLI::App& app) {
  addRepeated(app, "--input", inputs, "an input from a file, as image=image.npy");
  app.add_flag("--random", random, "seeded random values for inputs that are not given");
}

Result<std::vector<Tensor>> TensorOptions::read(const std::vector<ModelPort>& ports) const {
  TET_ASSIGN_OR_RETURN(auto files, keyValues(inputs, "--input"));
  std::vector<Tensor> tensors;
  std::mt19937 generator(kSeed);
  for (const ModelPort& port : ports) {
    const auto file = files.find(port.name);
    if (file == files.end() && !random) {
      return invalidArgument("input '{}' is missing; give --input {}=file.npy, or --random", port.name,
                             port.name);
    }
    TET_ASSIGN_OR_RETURN(Tensor tensor,
                         file == files.end() ? randomTensor(port, generator) : readNpy(file->second));
    // Types that .npy lacks travel as unsigned integers of their width.
    if (tensor.type() != port.type && byteSize(tensor.type()) == byteSize(port.type) &&
        info(tensor.type()).numpy == info(port.type).numpy) {
      tensor = Tensor::view(port.type, tensor.shape(), tensor.data(), std::make_shared<Tensor>(tensor));
    }
    tensors.push_back(std::move(tensor));
    if (file != files.end()) files.erase(file);
  }
  if (!files.empty()) {
    return invalidArgument("the model has no input '{}'; its inputs are: {}", files.begin()->first,
                           namesOf(ports));
  }
  TET_RETURN_IF_ERROR(checkInputs(ports, tensors));
  return tensors;
}

}  // namespace tetrarch::tools
