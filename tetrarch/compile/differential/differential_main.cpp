// tetrarch-differential: thousands of random graphs, compiled and interpreted; what differs is shrunk and
// shown.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>

#include "llvm/Support/raw_ostream.h"
#include "tetrarch/compile/differential/graph_check.h"
#include "tetrarch/compile/differential/shrink.h"
#include "tetrarch/graph/parse.h"
#include "tetrarch/graph/random_graph.h"

namespace tetrarch::compile {
namespace {

struct Arguments {
  GraphCheckOptions check;
  tet::RandomGraphOptions graph;
  std::string file;
  unsigned seed = 0, count = 1000, keep_going = 5;
  bool raw = false, counts = false;
};

using Counters = std::map<std::string, uint64_t>;

constexpr unsigned kSecondsEach = 600;  // on a machine with much else to do

std::string readAll(int file) {
  std::string text;
  char buffer[512];
  for (ssize_t got; (got = read(file, buffer, sizeof buffer)) > 0;) text.append(buffer, got);
  return text;
}

// What a child process found: a line of counters, and behind it what is wrong.
std::string told(const GraphCheck& check, const Status& status) {
  std::string text;
  for (const auto& [name, count] : check.counters()) text += fmt::format("{} {} ", name, count);
  return text + "\n" + (status.ok() ? "" : status.toString());
}

void addCounters(const std::string& line, Counters& sum) {
  std::istringstream words(line);
  std::string name;
  for (uint64_t count = 0; words >> name >> count;) sum[name] += count;
}

// In a child process: a crash and an endless loop are findings like any other. Empty when all is well.
std::string problemOf(const Arguments& arguments, mlir::ModuleOp graph, unsigned seed,
                      Counters* counters = nullptr) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    alarm(kSecondsEach);
    GraphCheck check(arguments.check);
    const Status status = check.check(graph, seed);
    const std::string text = told(check, status);
    const bool written = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(status.ok() ? 0 : written ? 1 : 2);
  }
  close(ends[1]);
  const std::string text = readAll(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  const size_t line = text.find('\n');
  if (line == std::string::npos) return fmt::format("exit status {}", WEXITSTATUS(status));
  if (counters) addCounters(text.substr(0, line), *counters);
  return text.substr(line + 1);
}

void show(const Arguments& arguments, mlir::ModuleOp graph, unsigned seed, const std::string& problem) {
  fmt::print("seed {}: {}\n", seed, problem);
  std::fflush(stdout);
  mlir::OwningOpRef<mlir::ModuleOp> small(graph.clone());
  if (!arguments.raw) {
    small = shrink(graph,
                   [&](mlir::ModuleOp candidate) { return !problemOf(arguments, candidate, seed).empty(); });
  }
  fmt::print("in {} ops of {}, {}:\n", countOps(*small), countOps(graph), problemOf(arguments, *small, seed));
  std::fflush(stdout);
  small->print(llvm::outs());
  llvm::outs() << "\n";
  llvm::outs().flush();
}

Status runFile(const Arguments& arguments, mlir::MLIRContext* context) {
  FILE* file = std::fopen(arguments.file.c_str(), "rb");
  if (!file) return invalidArgument("{} cannot be read", arguments.file);
  const std::string text = readAll(fileno(file));
  std::fclose(file);
  TET_ASSIGN_OR_RETURN(auto graph, tet::parseGraph(text, context, arguments.file));
  const std::string problem = problemOf(arguments, *graph, arguments.seed);
  if (problem.empty()) return {};
  show(arguments, *graph, arguments.seed, problem);
  return internalError("{} differs", arguments.file);
}

Status run(const Arguments& arguments) {
  auto context = tet::makeContext();
  mlir::DialectRegistry registry;
  registerCodegenDialects(registry);
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
  if (!arguments.file.empty()) return runFile(arguments, context.get());
  unsigned failed = 0, done = 0;
  Counters counters;
  for (; done < arguments.count && failed < arguments.keep_going; ++done) {
    const unsigned seed = arguments.seed + done;
    auto graph = tet::randomGraph(context.get(), seed, arguments.graph);
    const std::string problem = problemOf(arguments, *graph, seed, &counters);
    if (!problem.empty()) ++failed, show(arguments, *graph, seed, problem);
    if ((done + 1) % 100 == 0) fmt::print("{} graphs, {} failed\n", done + 1, failed);
    std::fflush(stdout);
  }
  fmt::print("seeds {} to {} on {}: {} failed\n", arguments.seed, arguments.seed + done - 1,
             arguments.check.target, failed);
  if (arguments.counts) {
    fmt::print("{{\"graphs\": {}, \"failed\": {}", done, failed);
    for (const auto& [name, count] : counters) fmt::print(", \"{}\": {}", name, count);
    fmt::print("}}\n");
  }
  return failed == 0 ? Status() : internalError("{} of {} random graphs failed", failed, done);
}

}  // namespace
}  // namespace tetrarch::compile

int main(int argc, char** argv) {
  tetrarch::compile::Arguments arguments;
  CLI::App app("Compiles random graphs and compares what they give with the reference interpreter.");
  app.add_option("--seed", arguments.seed, "of the first graph; each next one counts up");
  app.add_option("--count", arguments.count, "how many graphs");
  app.add_option("--ops", arguments.graph.ops, "of each graph");
  app.add_option("--inputs", arguments.graph.inputs, "of each graph");
  app.add_option("--largest-dim", arguments.graph.largest_dim, "of an input's dimensions");
  app.add_option("--target", arguments.check.target, "code generator: cpu, opencl or fpga");
  app.add_option("--device", arguments.check.plugin, "plug-in (.so) that runs the code; not for cpu");
  app.add_option("--device-options", arguments.check.device, "of its device: a JSON object");
  app.add_flag("--counts", arguments.counts,
               "end with a JSON object: graphs, tasks, what the device counted");
  app.add_option("--tolerance", arguments.check.tolerance,
                 "of floats, relative to the result's largest value");
  app.add_option("--file", arguments.file, "check this graph (MLIR text) instead of random ones");
  app.add_option("--keep-going", arguments.keep_going, "stop after so many failures");
  app.add_flag("--raw", arguments.raw, "show failing graphs as they are, without shrinking them");
  CLI11_PARSE(app, argc, argv);
  const tetrarch::Status status = tetrarch::compile::run(arguments);
  if (!status.ok()) fmt::print(stderr, "tetrarch-differential: {}\n", status.toString());
  return exitCode(status);
}
