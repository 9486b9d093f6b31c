// `tetrarch fpga build`: the kernels for FPGAs in an artifact, placed and routed by the Python flow that is
// installed beside the plug-ins (rtl/flow/fpga.py).
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tetrarch/abi/artifact_file.h"
#include "tetrarch/abi/fpga_blob.h"
#include "tetrarch/abi/fpga_design.h"
#include "tetrarch/base/whole_file.h"
#include "tetrarch/tools/tetrarch/command.h"
#include "tetrarch/tools/tetrarch/console.h"

namespace tetrarch::tools {
namespace {

namespace fs = std::filesystem;

struct BuildOptions {
  std::string model;
  int seeds = 3, jobs = 0;
  bool amd = false;
};

Result<std::vector<fpga::Program>> programsOf(const std::string& path) {
  TET_ASSIGN_OR_RETURN(const auto artifact, abi::Artifact::open(path));
  std::vector<fpga::Program> programs;
  for (const abi::CodeEntry& code : artifact->manifest().code) {
    if (code.format != TET_FPGA_FORMAT) continue;
    TET_ASSIGN_OR_RETURN(fpga::Program program, fpga::readProgram(artifact->bytes(code.section)));
    programs.push_back(std::move(program));
  }
  if (programs.empty())
    return fail(StatusCode::kFailedPrecondition,
                "{}: holds no code for FPGAs; compile it with --devices cpu,fpga", path);
  return programs;
}

// The kernel's folder in the cache, with its SystemVerilog in it.
Result<fs::path> prepare(const fpga::Kernel& kernel) {
  fs::path folder = fpga::designFolder(kernel.verilog);
  const fs::path source = folder / "kernel.sv";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return fail(StatusCode::kPermissionDenied, "{}: the design's folder cannot be made: {}", folder.string(),
                error.message());
  TET_ASSIGN_OR_RETURN(WholeFile file, WholeFile::create(source));
  TET_RETURN_IF_ERROR(file.write(kernel.verilog));
  TET_RETURN_IF_ERROR(file.commit());
  return folder;
}

// $TETRARCH_PYTHON names the interpreter that has the tools; the wheel's command sets it to its own.
std::string pythonProgram() {
  const char* wished = std::getenv("TETRARCH_PYTHON");
  return wished && *wished ? wished : "python3";
}

Result<fs::path> flowScript() {
  std::error_code error;
  const fs::path folder = fs::canonical("/proc/self/exe", error).parent_path();
  fs::path script = folder.parent_path() / "lib/tetrarch/fpga_flow.py";
  if (!fs::exists(script, error))
    return fail(StatusCode::kFailedPrecondition, "{} is missing; install Tetrarch anew", script.string());
  return script;
}

// What the command writes to standard output; its standard error is ours, with the progress.
Result<std::string> outputOf(std::vector<std::string> command) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
    return fail(StatusCode::kResourceExhausted, "no pipe for {}", command[0]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t n = 0; error == 0 && (n = ::read(pipe[0], piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<size_t>(n));
  ::close(pipe[0]);
  if (error != 0)
    return fail(StatusCode::kUnavailable,
                "{} does not start ({}); set TETRARCH_PYTHON to a Python 3.11 that has the tools", command[0],
                std::strerror(error));
  int status = 0;
  ::waitpid(child, &status, 0);
  return text;
}

// The reports of the designs, or the sentence of what went wrong.
Result<Json> reportsIn(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object() && json.contains("error"))
    return fail(StatusCode::kUnavailable, "{}", json["error"].get<std::string>());
  if (!json.is_array())
    return fail(StatusCode::kUnavailable, "{} ended without a report; what it wrote is above",
                pythonProgram());
  return json;
}

// As reports have them.
Json cellsOf(const fpga::Resources& uses) {
  return {{"luts", uses.luts},
          {"flip_flops", uses.flip_flops},
          {"multipliers", uses.multipliers},
          {"block_rams", uses.block_rams}};
}

Json clockOf(double hz) { return {{"value", hz}, {"unit", "Hz"}, {"source", "modelled"}}; }

// What the compiler expected.
Json estimateOf(const fpga::Kernel& kernel) {
  return {{"clock", clockOf(kernel.estimated_hz)}, {"used", cellsOf(kernel.estimate)}};
}

std::string megahertz(double hz) { return fmt::format("{:.1f} MHz", hz / 1e6); }

Result<Output> build(const BuildOptions& options) {
  TET_ASSIGN_OR_RETURN(const auto programs, programsOf(options.model));
  TET_ASSIGN_OR_RETURN(const fs::path script, flowScript());
  std::vector<std::string> command = {pythonProgram(), script.string(), "--seeds",
                                      std::to_string(options.seeds)};
  if (options.jobs > 0) command.insert(command.end(), {"--jobs", std::to_string(options.jobs)});
  if (options.amd) command.emplace_back("--amd");
  std::vector<const fpga::Kernel*> kernels;
  for (const fpga::Program& program : programs) {
    for (const fpga::Kernel& kernel : program.kernels) {
      TET_ASSIGN_OR_RETURN(const fs::path folder, prepare(kernel));
      command.insert(command.end(), {"--design", kernel.top + "=" + folder.string(), "--part", program.part});
      kernels.push_back(&kernel);
    }
  }
  TET_ASSIGN_OR_RETURN(const std::string text, outputOf(command));
  TET_ASSIGN_OR_RETURN(Json reports, reportsIn(text));
  Output out;
  Table table({"kernel", "clock", "estimate", "LUTs", "estimate", "flip-flops", "multipliers", "block RAMs",
               "bitstream"});
  for (size_t i = 0; i < kernels.size() && i < reports.size(); ++i) {
    Json& report = reports[i];
    report["estimate"] = estimateOf(*kernels[i]);
    const Json& used = report["used"];
    const Figure bytes{report["bitstream_bytes"].get<double>(), "B", "measured"};
    table.add({kernels[i]->symbol, megahertz(report["clock"]["value"].get<double>()),
               megahertz(kernels[i]->estimated_hz), used["luts"].dump(),
               std::to_string(kernels[i]->estimate.luts), used["flip_flops"].dump(),
               used["multipliers"].dump(), used["block_rams"].dump(), formatBytes(bytes)});
  }
  out.json = {{"cache", fpga::designCache().string()}, {"designs", std::move(reports)}};
  out.text = table.render(Style(STDOUT_FILENO)) + "designs lie in " + fpga::designCache().string() + "\n";
  return out;
}

// What is known of each kernel without long work: the estimate, and the design where one was built.
Result<Output> list(const std::string& model) {
  TET_ASSIGN_OR_RETURN(const auto programs, programsOf(model));
  Output out;
  Json kernels = Json::array();
  Table table({"kernel", "clock", "estimate", "LUTs", "estimate", "design"});
  for (const fpga::Program& program : programs) {
    for (const fpga::Kernel& kernel : program.kernels) {
      Json row = {{"kernel", kernel.symbol},
                  {"hash", fpga::designFolder(kernel.verilog).filename().string()},
                  {"estimate", estimateOf(kernel)}};
      std::vector<std::string> cells = {
          kernel.symbol, "", megahertz(kernel.estimated_hz), "", std::to_string(kernel.estimate.luts),
          "not built"};
      const auto design = fpga::readDesign(kernel, program.part);
      if (!design) {
        row["refused"] = cells[5] = design.error().message();
      } else if (*design) {
        const fpga::Design& built = **design;
        row["design"] = {{"clock", clockOf(built.hz)}, {"used", cellsOf(built.uses)}};
        cells[1] = megahertz(built.hz);
        cells[3] = std::to_string(built.uses.luts);
        cells[5] = "built";
      }
      kernels.push_back(std::move(row));
      table.add(cells);
    }
  }
  out.json = {{"cache", fpga::designCache().string()}, {"kernels", std::move(kernels)}};
  out.text = table.render(Style(STDOUT_FILENO));
  return out;
}

}  // namespace

Command addFpga(CLI::App& app) {
  CLI::App* command = app.add_subcommand("fpga", "Place and route the kernels for FPGAs in a model");
  CLI::App* build_command = command->add_subcommand(
      "build", "Synthesise, place and route each kernel, and leave its clock and bitstream in the cache");
  CLI::App* list_command = command->add_subcommand(
      "list", "What is known of each kernel: the compiler's estimate, and the design in the cache");
  command->require_subcommand(1);
  command->footer("Example:\n  tetrarch fpga build m.tet");
  auto options = std::make_shared<BuildOptions>();
  for (CLI::App* each : {build_command, list_command}) each->fallthrough();  // --json may come behind it
  list_command->add_option("model", options->model, "the artifact (.tet)")->required();
  build_command->add_option("model", options->model, "the artifact (.tet)")->required();
  build_command
      ->add_option("--seeds", options->seeds, "places and routes so often; the worst clock counts (3)")
      ->check(CLI::Range(1, 100));
  build_command->add_option("--jobs", options->jobs, "steps at a time (one a processor core)")
      ->check(CLI::Range(1, 256));
  build_command->add_flag("--amd", options->amd, "also count what a large part by AMD would need");
  build_command->footer(
      "What is done stays: an interrupted build goes on where it was.\n"
      "Examples:\n"
      "  tetrarch fpga build m.tet\n"
      "  tetrarch fpga build m.tet --jobs 2 --json");
  return {command, [options, list_command] {
            return list_command->parsed() ? list(options->model) : build(*options);
          }};
}

}  // namespace tetrarch::tools
