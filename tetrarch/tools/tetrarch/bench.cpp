#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tetrarch/api/report_json.h"
#include "tetrarch/base/trace.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

struct BenchCommand {
  ModelOptions model;
  TensorOptions tensors;
  int runs = 20, warmup = 3;

  Result<Output> run() const {
    TET_ASSIGN_OR_RETURN(CompileOptions options, model.compileOptions());
    TET_ASSIGN_OR_RETURN(const ModelInterface interface, describe(model.model, options));
    TensorOptions sources = tensors;
    sources.random = true;
    TET_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, sources.read(interface.inputs));
    TET_ASSIGN_OR_RETURN(Model program, openModel(model, std::move(options)));
    TET_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, program.run(inputs));
    std::vector<double> seconds;
    ProgressDisplay display;
    for (int i = -warmup; i < runs; ++i) {
      if (!model.quiet) display.update({"run", "", seconds.size(), static_cast<size_t>(runs)});
      const int64_t begin = nowNs();
      TET_RETURN_IF_ERROR(program.runInto(inputs, outputs));
      if (i >= 0) seconds.push_back(static_cast<double>(nowNs() - begin) * 1e-9);
    }
    display.finish();
    std::sort(seconds.begin(), seconds.end());
    return summarise(seconds, program.report());
  }

  static Output summarise(const std::vector<double>& sorted, const Report& report) {
    const size_t n = sorted.size();
    const double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(n);
    double squares = 0;
    for (double s : sorted) squares += (s - mean) * (s - mean);
    auto figure = [](double value) { return Figure{value, "s", "measured"}; };
    const double deviation = n > 1 ? std::sqrt(squares / static_cast<double>(n - 1)) : 0;
    Output out;
    out.json = {{"runs", n},
                {"median", api::toJson(figure(median))},
                {"minimum", api::toJson(figure(sorted.front()))},
                {"maximum", api::toJson(figure(sorted.back()))},
                {"deviation", api::toJson(figure(deviation))},
                {"report", api::toJson(report)}};
    out.text =
        renderReport(report) + fmt::format("\n{} runs: median {}, from {} to {}, deviation {} (measured)\n",
                                           n, formatTime(figure(median)), formatTime(figure(sorted.front())),
                                           formatTime(figure(sorted.back())), formatTime(figure(deviation)));
    return out;
  }
};

}  // namespace

Command addBench(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "Run a model many times and show the median");
  auto options = std::make_shared<BenchCommand>();
  options->model.add(*command);
  options->tensors.add(*command);
  command->add_option("--runs", options->runs, "timed runs (default 20)")->check(CLI::Range(1, 1000000));
  command->add_option("--warmup", options->warmup, "runs before those (default 3)")
      ->check(CLI::Range(0, 1000000));
  command->footer("Example:\n  tetrarch bench m.tet --runs 50 --json\nInputs that are not given are random.");
  return {command, [options] { return options->run(); }};
}

}  // namespace tetrarch::tools
