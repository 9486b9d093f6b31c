// The `tetrarch` command. Exit status: 0 done, 2 the user's input, 3 a device, 4 ours.
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

void printJson(const Json& document) {
  // The name of a file need not be UTF-8.
  std::puts(document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

int reportFailure(const Status& status, const std::string& command, bool json) {
  if (json) {
    const Json error = {
        {"code", statusCodeName(status.code())}, {"message", status.message()}, {"exit", exitCode(status)}};
    printJson({{"tetrarch", version()}, {"command", command}, {"error", error}});
  }
  const Style style(STDERR_FILENO);
  std::fprintf(stderr, "%s %s\n", style.red("tetrarch:").c_str(), std::string(status.message()).c_str());
  return exitCode(status);
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The command that was chosen, as far as parsing came.
std::string commandOf(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "" : chosen.front()->get_name();
}

// What the parser did not understand, as one sentence.
Status misuse(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
  if (const std::string command = commandOf(app); !command.empty())
    return invalidArgument("{}: {}; see 'tetrarch {} --help'", command, error.what(), command);
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  const auto first =
      std::find_if(words.begin(), words.end(), [](const auto& w) { return !w.starts_with('-'); });
  if (first == words.end())
    return invalidArgument("no command is given; the commands are {}", fmt::join(names, ", "));
  return invalidArgument("'{}' is no command; the commands are {}", *first, fmt::join(names, ", "));
}

int execute(const Command& command, bool json) {
  const std::string name = command.app->get_name();
  auto output = command.run();
  if (!output) return reportFailure(output.error(), name, json);
  if (json) {
    Json document = {{"tetrarch", version()}, {"command", name}};
    document.update(output->json);
    printJson(document);
  } else {
    std::fputs(output->text.c_str(), stdout);
  }
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Runs one model over all the processors of this machine.", "tetrarch");
  app.footer(
      "Examples:\n"
      "  tetrarch devices\n"
      "  tetrarch compile resnet50.onnx -o resnet50.tet --devices cpu,opencl\n"
      "  tetrarch run resnet50.tet --input image=image.npy --output scores=scores.npy\n"
      "Exit status: 0 done, 2 the input is at fault, 3 a device is, 4 Tetrarch is.");
  app.set_version_flag("--version", version());
  app.require_subcommand(1);
  bool json = false;
  std::vector<Command> commands;
  for (auto add : {addDevices, addCompile, addRun, addBench, addExplain, addFpga}) {
    commands.push_back(add(app));
    commands.back().app->add_flag("--json", json,
                                  "print one JSON object (docs/report.schema.json) to standard output");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // the parser's way to say help and misuse alike
    if (error.get_exit_code() == 0) return app.exit(error);
    const std::vector<std::string> words(argv + 1, argv + argc);
    return reportFailure(misuse(app, error, words), commandOf(app), contains(words, "--json"));
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) return execute(command, json);
  }
  return 0;  // not reached: the parser asks for a command
}

}  // namespace
}  // namespace tetrarch::tools

int main(int argc, char** argv) { return tetrarch::tools::run(argc, argv); }
