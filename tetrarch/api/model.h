// Tetrarch for C++ programs: compile or load a model, run it, read what happened.
//
//   auto model = tetrarch::Model::compile("resnet50.onnx", {.devices = {"cpu"}});
//   if (!model) { std::cerr << model.error().toString() << '\n'; return 1; }
//   auto outputs = model->run({image});
//
// Errors come as Status (tetrarch/base/status.h); nothing here throws.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tetrarch/api/export.h"
#include "tetrarch/api/report.h"
#include "tetrarch/base/status.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch {
namespace api {
struct ModelSource;
}

TETRARCH_EXPORT std::string version();

// The devices that the installed plug-ins find. `problems` (may be null) gets a sentence for each plug-in
// that cannot be used.
TETRARCH_EXPORT Result<std::vector<DeviceInfo>> devices(std::vector<std::string>* problems = nullptr);

// An input or output of a model, in the model's order.
struct ModelPort {
  std::string name;
  ElementType type = ElementType::F32;
  bool ranked = true;                  // false: the model states no shape at all
  std::vector<int64_t> shape;          // -1: bound by the tensors of each call
  std::vector<std::string> dim_names;  // one for each dimension, empty where it has no name
};

struct ModelInterface {
  std::vector<ModelPort> inputs, outputs;
};

// What is being done, for a progress display. `total` is 0 when the stage does not count.
struct Progress {
  std::string stage;  // "import", "fuse", "code for cpu", "measure on cpu", …
  std::string what;   // what is being worked on, such as a task's name
  size_t done = 0, total = 0;
};

struct CompileOptions {
  std::vector<std::string> devices;  // "cpu", "opencl:0:threads=1"; empty: "cpu"
  std::string place;                 // "": free. "cpu,opencl": each runs something. "p.json": task -> device
  std::map<std::string, int64_t> dims;   // sizes of named dimensions; others are bound by each call's tensors
  std::map<std::string, Tensor> values;  // inputs that become constants
  std::map<std::string, std::vector<int64_t>> shapes;  // whole shapes of inputs
  // "int8": to 8-bit integers, with ranges from `calibration`. "bf16": what contractions read.
  std::string quantize;
  // Samples of the inputs by name, each tensor one sample or several along its first dimension.
  std::vector<std::map<std::string, Tensor>> calibration;
  bool measure = true;  // false: plan from estimates, nothing is timed
  bool divide = true;   // tasks may be divided over devices that share memory
  std::string profile;  // file of measured costs; empty: see TETRARCH_PROFILE in the manual
  std::function<void(const Progress&)> progress;  // called from the compiling thread; may be empty
};

struct LoadOptions {
  std::vector<std::string> devices;  // empty: those of the artifact's first plan
  std::string place;                 // as above; a forced placement is planned from the artifact's costs
  // Code and costs of an artifact that was made on another machine, or for other devices, are made anew where
  // this build has a compiler; the result is kept beside the profile for the next load. So is the code that a
  // plan of its own has (segments), where the artifact was made for other plans; that is not kept.
  bool retune = true;
  bool measure = true;                            // then: as above
  std::function<void(const Progress&)> progress;  // called from the loading thread; may be empty
};

// Whether the file begins as an artifact does. Only Model::load finds out whether it is a whole one.
TETRARCH_EXPORT bool isArtifact(const std::filesystem::path& path);

// Inputs and outputs of an ONNX file or an artifact before anything is compiled, with the sizes that `dims`
// and `shapes` of the options give and without the inputs that `values` makes constants. Errors as
// Model::compile.
TETRARCH_EXPORT Result<ModelInterface> describe(const std::filesystem::path& path,
                                                const CompileOptions& options = {});
// InvalidArgument names the first tensor whose type or shape does not fit, or counts them.
TETRARCH_EXPORT Status checkInputs(const std::vector<ModelPort>& inputs, std::span<const Tensor> given);

// A compiled model, ready to run. Movable. Calls on one Model are serialised; several Models run side by
// side. A model whose shapes are not all known is compiled at the first call with new shapes, and each
// variant is kept.
class Model {
 public:
  // An ONNX file, or an artifact, whose tasks are then compiled anew for the devices of `options`.
  // InvalidArgument, NotFound, PermissionDenied, Unimplemented: the file or an option is at fault, which the
  // message names. Unimplemented also when this build has no compiler.
  TETRARCH_EXPORT static Result<Model> compile(const std::filesystem::path& path,
                                               CompileOptions options = {});
  // An ONNX model in memory. `name` stands for the file in messages; external data is looked for below
  // `folder`.
  TETRARCH_EXPORT static Result<Model> compile(std::span<const std::byte> onnx, std::string name,
                                               const std::filesystem::path& folder,
                                               CompileOptions options = {});
  // An artifact. DataLoss when it is damaged; Unavailable when a device that it needs is not here.
  TETRARCH_EXPORT static Result<Model> load(const std::filesystem::path& path,
                                            const LoadOptions& options = {});

  TETRARCH_EXPORT Model(Model&&) noexcept;
  TETRARCH_EXPORT Model& operator=(Model&&) noexcept;
  TETRARCH_EXPORT ~Model();

  // Writes the artifact of the variant in use. FailedPrecondition when no variant has been compiled yet.
  TETRARCH_EXPORT Status save(const std::filesystem::path& path) const;

  TETRARCH_EXPORT const std::vector<ModelPort>& inputs() const;
  TETRARCH_EXPORT const std::vector<ModelPort>& outputs() const;

  // Runs once, inputs in the model's order. InvalidArgument names the input whose type or shape does not fit.
  TETRARCH_EXPORT Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);
  Result<std::vector<Tensor>> run(std::initializer_list<Tensor> inputs) {
    return run(std::span<const Tensor>(inputs.begin(), inputs.size()));
  }
  // The same into tensors of the caller: nothing is allocated.
  TETRARCH_EXPORT Status runInto(std::span<const Tensor> inputs, std::span<Tensor> outputs);

  // Of the last run; before the first, what the plan predicts.
  TETRARCH_EXPORT Report report() const;
  // A Chrome/Perfetto trace of the last run. FailedPrecondition before the first.
  TETRARCH_EXPORT Status writeTrace(const std::filesystem::path& path) const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  static Result<Model> compileSource(api::ModelSource source, CompileOptions options);
  std::unique_ptr<Impl> impl_;
};

// What a model means: computed by the reference interpreter, one plain loop an operation. Slow, and the
// oracle that everything else is checked against. Thread safe.
class Reference {
 public:
  // Errors as Model::compile; of the options dims, shapes, values, quantize and calibration matter:
  // quantised, it computes what the integer graph means.
  TETRARCH_EXPORT static Result<Reference> open(const std::filesystem::path& path,
                                                const CompileOptions& options = {});
  TETRARCH_EXPORT Reference(Reference&&) noexcept;
  TETRARCH_EXPORT Reference& operator=(Reference&&) noexcept;
  TETRARCH_EXPORT ~Reference();

  TETRARCH_EXPORT const std::vector<ModelPort>& inputs() const;
  // Inputs in the model's order, results in the order of its outputs.
  TETRARCH_EXPORT Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) const;

 private:
  struct Impl;
  explicit Reference(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The graph of `path` as text after a stage of the compiler ("import", …, "tasks"); `stages` lists them.
TETRARCH_EXPORT Result<std::string> compileToText(const std::filesystem::path& path, const std::string& stage,
                                                  const CompileOptions& options = {});
TETRARCH_EXPORT std::vector<std::string> stages();

}  // namespace tetrarch
