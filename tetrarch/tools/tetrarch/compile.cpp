#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "tetrarch/api/report_json.h"
#include "tetrarch/base/whole_file.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct CompileCommand {
  ModelOptions model;
  std::string output, stop_after;

  // The seconds of each stage, in order, from the progress calls.
  struct Stages {
    std::vector<std::pair<std::string, Clock::time_point>> begun;
    void update(const Progress& progress) {
      if (begun.empty() || begun.back().first != progress.stage)
        begun.emplace_back(progress.stage, Clock::now());
    }
    Json json() const {
      Json stages = Json::array();
      for (size_t i = 0; i < begun.size(); ++i) {
        const auto end = i + 1 < begun.size() ? begun[i + 1].second : Clock::now();
        const double seconds = std::chrono::duration<double>(end - begun[i].second).count();
        stages.push_back({{"name", begun[i].first}, {"time", api::toJson(Figure{seconds, "s", "measured"})}});
      }
      return stages;
    }
  };

  Result<Output> stopAfter(const CompileOptions& options) const {
    TET_ASSIGN_OR_RETURN(std::string text, compileToText(model.model, stop_after, options));
    return Output{{{"stage", stop_after}, {"text", text}}, text};
  }

  Result<Output> run() const {
    TET_ASSIGN_OR_RETURN(CompileOptions options, model.compileOptions());
    if (!stop_after.empty()) return stopAfter(options);
    const std::string path =
        output.empty() ? std::filesystem::path(model.model).stem().string() + ".tet" : output;
    TET_RETURN_IF_ERROR(checkWritable(path));  // before the work
    const auto begin = Clock::now();
    auto stages = std::make_shared<Stages>();
    options.progress = [stages, show = options.progress](const Progress& progress) {
      stages->update(progress);
      if (show) show(progress);
    };
    TET_ASSIGN_OR_RETURN(const Model compiled, Model::compile(model.model, std::move(options)));
    TET_RETURN_IF_ERROR(compiled.save(path));
    return describe(compiled.report(), path, stages->json(), secondsSince(begin));
  }

  static Result<Output> describe(const Report& report, const std::string& path, Json stages, double seconds) {
    std::error_code error;
    const Figure bytes{static_cast<double>(std::filesystem::file_size(path, error)), "B", "measured"};
    const Figure time{seconds, "s", "measured"};
    Output out;
    out.json = {{"artifact", path},
                {"bytes", api::toJson(bytes)},
                {"time", api::toJson(time)},
                {"stages", std::move(stages)},
                {"report", api::toJson(report)}};
    out.text = fmt::format("{}: {} tasks, {}, in {}\n{}\n", path, report.tasks.size(), formatBytes(bytes),
                           formatTime(time), report.reason);
    return out;
  }
};

}  // namespace

Command addCompile(CLI::App& app) {
  CLI::App* command = app.add_subcommand("compile", "Compile an ONNX model to an artifact");
  auto options = std::make_shared<CompileCommand>();
  options->model.add(*command);
  command->add_option("-o,--output", options->output, "the artifact to write (default: <model>.tet here)");
  std::string names;
  for (const std::string& stage : stages()) names += (names.empty() ? "" : ", ") + stage;
  command->add_option("--stop-after", options->stop_after,
                      "print the graph after a stage and stop: " + names);
  command->footer(
      "Examples:\n"
      "  tetrarch compile m.onnx -o m.tet --devices cpu,opencl --dim batch=1\n"
      "  tetrarch compile m.onnx --quantize int8 --calibrate image=images.npy\n"
      "  tetrarch compile m.onnx --stop-after fuse");
  return {command, [options] { return options->run(); }};
}

}  // namespace tetrarch::tools
