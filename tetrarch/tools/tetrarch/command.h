// The commands of `tetrarch`. Each adds its options to the parser and returns what to do once they are
// parsed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tetrarch/api/model.h"
#include "tetrarch/base/status.h"

namespace tetrarch::tools {

using Json = nlohmann::ordered_json;

// What a command gives back when it worked: the object for --json, and the text for people.
struct Output {
  Json json;
  std::string text;
};
using Action = std::function<Result<Output>()>;

// A command as the parser knows it; `run` is called when it was chosen.
struct Command {
  CLI::App* app;
  Action run;
};

Command addDevices(CLI::App& app);
Command addCompile(CLI::App& app);
Command addRun(CLI::App& app);
Command addBench(CLI::App& app);
Command addExplain(CLI::App& app);
Command addFpga(CLI::App& app);

// Options of every command that takes a model.
struct ModelOptions {
  std::string model, devices, place, profile;
  std::string quantize;
  std::vector<std::string> dims, shapes, values, calibrate;
  bool no_measure = false, no_divide = false, no_retune = false, quiet = false;

  void add(CLI::App& app);
  Result<CompileOptions> compileOptions() const;
};

// The model of `options`, which `compile` holds in the API's form: an artifact is loaded, anything else is
// compiled with its progress shown.
Result<Model> openModel(const ModelOptions& options, CompileOptions compile);

// Inputs and outputs of a model on the command line.
struct TensorOptions {
  std::vector<std::string> inputs;  // "name=file.npy"
  bool random = false;

  void add(CLI::App& app);
  // In the model's order, checked against it. With `random`, inputs that are not given are seeded noise.
  Result<std::vector<Tensor>> read(const std::vector<ModelPort>& ports) const;
};

// An option that may be given several times, each time with one value.
void addRepeated(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                 const std::string& description);

// "a=b" strings as a map. InvalidArgument names the option and the string that is not of that form or comes
// twice.
Result<std::map<std::string, std::string>> keyValues(const std::vector<std::string>& texts,
                                                     std::string_view option);

// The table of tasks and the totals against each single device.
std::string renderReport(const Report& report);

}  // namespace tetrarch::tools
