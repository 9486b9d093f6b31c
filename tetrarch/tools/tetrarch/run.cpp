#include <fmt/format.h>
#include <unistd.h>

#include "tetrarch/api/report_json.h"
#include "tetrarch/base/npy.h"
#include "tetrarch/base/whole_file.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

struct RunCommand {
  ModelOptions model;
  TensorOptions tensors;
  std::vector<std::string> outputs, expected;
  std::string trace;

  Result<Output> run() const {
    TET_ASSIGN_OR_RETURN(auto files, keyValues(outputs, "--output"));
    TET_ASSIGN_OR_RETURN(auto references, keyValues(expected, "--expect"));
    TET_ASSIGN_OR_RETURN(CompileOptions options, model.compileOptions());
    // What is wrong with inputs, names and places is said before a long compilation.
    TET_ASSIGN_OR_RETURN(const ModelInterface interface, describe(model.model, options));
    TET_RETURN_IF_ERROR(checkNames(interface.outputs, files));
    TET_RETURN_IF_ERROR(checkNames(interface.outputs, references));
    TET_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, tensors.read(interface.inputs));
    for (const auto& [name, file] : files) TET_RETURN_IF_ERROR(checkWritable(file));
    if (!trace.empty()) TET_RETURN_IF_ERROR(checkWritable(trace));
    TET_ASSIGN_OR_RETURN(Model program, openModel(model, std::move(options)));
    TET_ASSIGN_OR_RETURN(const std::vector<Tensor> results, program.run(inputs));
    Output out;
    out.json["outputs"] = Json::array();
    for (size_t i = 0; i < results.size(); ++i) {
      TET_RETURN_IF_ERROR(keep(program.outputs()[i].name, results[i], files, references, out));
    }
    if (!trace.empty()) {
      TET_RETURN_IF_ERROR(program.writeTrace(trace));
      out.json["trace"] = trace;
      out.text += fmt::format("trace: {} (open it in ui.perfetto.dev)\n", trace);
    }
    const Report report = program.report();
    out.json["report"] = api::toJson(report);
    out.text = renderReport(report) + "\n" + out.text;
    return out;
  }

  static Status checkNames(const std::vector<ModelPort>& ports,
                           const std::map<std::string, std::string>& files) {
    std::string names, separator;
    for (const ModelPort& port : ports) names += separator + port.name, separator = ", ";
    for (const auto& [name, file] : files) {
      bool known = false;
      for (const ModelPort& port : ports) known |= port.name == name;
      if (!known) return invalidArgument("the model has no output '{}'; its outputs are: {}", name, names);
    }
    return {};
  }

  // Writes and compares one output as asked, and tells about it.
  static Status keep(const std::string& name, const Tensor& tensor,
                     const std::map<std::string, std::string>& files,
                     const std::map<std::string, std::string>& references, Output& out) {
    Json entry = {
        {"name", name}, {"type", info(tensor.type()).name}, {"shape", tensor.shape()}, {"file", nullptr}};
    out.text += fmt::format("output {}: {}", name, toString(tensor.type(), tensor.shape()));
    if (const auto file = files.find(name); file != files.end()) {
      TET_RETURN_IF_ERROR(writeNpy(file->second, tensor));
      entry["file"] = file->second;
      out.text += " -> " + file->second;
    }
    if (const auto file = references.find(name); file != references.end()) {
      TET_ASSIGN_OR_RETURN(const Tensor reference, readNpy(file->second));
      auto largest = difference(tensor, reference);
      if (!largest) return largest.error().withContext(file->second);
      entry["difference"] = api::toJson(Figure{largest->relative, "1", "measured"});
      out.text += fmt::format(", largest difference from {}: {:.2e} of its largest value", file->second,
                              largest->relative);
    }
    out.json["outputs"].push_back(std::move(entry));
    out.text += "\n";
    return {};
  }
};

}  // namespace

Command addRun(CLI::App& app) {
  CLI::App* command = app.add_subcommand("run", "Run a model once");
  auto options = std::make_shared<RunCommand>();
  options->model.add(*command);
  options->tensors.add(*command);
  addRepeated(*command, "--output", options->outputs, "write an output, as scores=scores.npy");
  addRepeated(*command, "--expect", options->expected,
              "compare an output with a file, as scores=expected.npy");
  command->add_option("--trace", options->trace, "write a Chrome/Perfetto trace of the run");
  command->footer(
      "Examples:\n"
      "  tetrarch run m.tet --input x=x.npy --output y=y.npy --trace trace.json\n"
      "  tetrarch run m.onnx --random --devices cpu:threads=1,opencl:threads=1 --place cpu,opencl");
  return {command, [options] { return options->run(); }};
}

}  // namespace tetrarch::tools
