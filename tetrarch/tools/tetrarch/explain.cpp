#include <fmt/format.h>
#include <unistd.h>

#include "tetrarch/api/report_json.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

Result<Output> explain(const ModelOptions& options) {
  TET_ASSIGN_OR_RETURN(CompileOptions compile, options.compileOptions());
  TET_ASSIGN_OR_RETURN(const Model model, openModel(options, std::move(compile)));
  const Report report = model.report();
  const Style style(STDOUT_FILENO);
  Output out;
  out.json["report"] = api::toJson(report);
  out.text = renderReport(report) + "\n" + style.bold("why") + ": " + report.reason + "\n";
  for (const TaskReport& task : report.tasks)
    out.text += fmt::format("  {}: {}\n", style.bold(task.name), task.reason);
  return out;
}

}  // namespace

Command addExplain(CLI::App& app) {
  CLI::App* command = app.add_subcommand("explain", "Say why each task of a model sits where it sits");
  auto options = std::make_shared<ModelOptions>();
  options->add(*command);
  command->footer("Example:\n  tetrarch explain m.tet --place cpu,opencl");
  return {command, [options] { return explain(*options); }};
}

}  // namespace tetrarch::tools
