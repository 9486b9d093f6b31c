// The extension module tetrarch._tetrarch: the C++ API for Python. Status becomes an exception here and
// nowhere else.
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "python/src/arrays.h"
#include "tetrarch/api/model.h"

namespace tetrarch::python {
namespace {

[[noreturn]] void raise(const Status& status) {
  const nb::object make = nb::module_::import_("tetrarch._errors").attr("make");
  const nb::object error =
      make(std::string(status.message()), std::string(statusCodeName(status.code())), exitCode(status));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw nb::python_error();
}

template <typename T>
T valueOf(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}

void check(const Status& status) {
  if (!status.ok()) raise(status);
}

std::string namesOf(const std::vector<ModelPort>& ports) {
  std::string out;
  for (const ModelPort& port : ports) out += (out.empty() ? "" : ", ") + port.name;
  return out;
}

// The tensors of a call in the model's order: positions first, then names; each input exactly once.
std::vector<Tensor> bindInputs(const std::vector<ModelPort>& ports, const nb::args& args,
                               const nb::kwargs& kwargs) {
  const size_t given = args.size() + kwargs.size();
  if (given != ports.size()) {
    raise(invalidArgument("the model takes {} inputs ({}), {} were given", ports.size(), namesOf(ports),
                          given));
  }
  std::vector<Tensor> inputs;
  inputs.reserve(ports.size());
  for (size_t i = 0; i < ports.size(); ++i) {
    nb::handle value =
        i < args.size() ? nb::handle(args[i]) : PyDict_GetItemString(kwargs.ptr(), ports[i].name.c_str());
    if (!value.is_valid()) {
      raise(invalidArgument("input '{}' is missing; the model's inputs are: {}", ports[i].name,
                            namesOf(ports)));
    }
    inputs.push_back(tensorFrom(value, ports[i].type));
  }
  return inputs;
}

// One array, or a tuple in the model's order.
nb::object arraysFrom(std::vector<Tensor> outputs) {
  if (outputs.size() == 1) return arrayFrom(std::move(outputs[0]));
  nb::list arrays;
  for (Tensor& output : outputs) arrays.append(arrayFrom(std::move(output)));
  return nb::tuple(arrays);
}

// Anything with inputs() and run(): the one way in which Python calls a model.
template <typename Callable>
nb::object call(Callable& model, const nb::args& args, const nb::kwargs& kwargs) {
  const std::vector<Tensor> inputs = bindInputs(model.inputs(), args, kwargs);
  Result<std::vector<Tensor>> outputs = [&] {
    nb::gil_scoped_release released;
    return model.run(inputs);
  }();
  return arraysFrom(valueOf(std::move(outputs)));
}

// Dicts of arrays by input name.
std::vector<std::map<std::string, Tensor>> samplesFrom(const nb::list& list) {
  std::vector<std::map<std::string, Tensor>> samples;
  for (nb::handle item : list) {
    samples.emplace_back();
    for (const auto& [name, value] : nb::cast<nb::dict>(item))
      samples.back()[nb::cast<std::string>(name)] = tensorFrom(value, ElementType::F32);
  }
  return samples;
}

struct PyOptions {
  std::vector<std::string> devices;
  std::string place;
  std::map<std::string, int64_t> dims;
  std::map<std::string, std::vector<int64_t>> shapes;
  nb::dict values;
  std::string quantize;
  nb::list calibration;
  bool measure, divide;
  std::string profile;
  nb::object progress;

  CompileOptions convert() const {
    CompileOptions options;
    options.devices = devices;
    options.place = place;
    options.dims = dims;
    options.shapes = shapes;
    for (const auto& [name, value] : values) {
      // An array states its own type; the model's is compared when it is imported.
      options.values[nb::cast<std::string>(name)] = tensorFrom(value, ElementType::F32);
    }
    options.quantize = quantize;
    options.calibration = samplesFrom(calibration);
    options.measure = measure;
    options.divide = divide;
    options.profile = profile;
    if (!progress.is_none()) options.progress = forward(progress);
    return options;
  }

  // The library calls back without the GIL. An exception of the callee cannot cross it: it is shown, and
  // compiling goes on.
  static std::function<void(const Progress&)> forward(const nb::object& callee) {
    auto release = [](nb::object* held) {
      nb::gil_scoped_acquire gil;
      delete held;
    };
    std::shared_ptr<nb::object> shared(new nb::object(callee), release);
    return [shared](const Progress& progress) {
      nb::gil_scoped_acquire gil;
      try {
        (*shared)(progress.stage, progress.what, progress.done, progress.total);
      } catch (nb::python_error& error) {
        error.discard_as_unraisable("the progress callback of tetrarch.compile");
      }
    };
  }
};

Model finish(Result<Model> model) { return valueOf(std::move(model)); }

Model compileFile(const std::string& path, const PyOptions& given) {
  CompileOptions options = given.convert();
  return finish([&] {
    nb::gil_scoped_release released;
    return Model::compile(path, std::move(options));
  }());
}

Model compileBytes(const nb::bytes& onnx, const std::string& name, const std::string& folder,
                   const PyOptions& given) {
  CompileOptions options = given.convert();
  const std::span bytes(reinterpret_cast<const std::byte*>(onnx.c_str()), onnx.size());
  return finish([&] {
    nb::gil_scoped_release released;
    return Model::compile(bytes, name, folder, std::move(options));
  }());
}

nb::object shapeOf(const ModelPort& port) {
  if (!port.ranked) return nb::none();
  nb::list shape;
  for (int64_t dim : port.shape) shape.append(dim);
  return nb::tuple(shape);
}

nb::tuple dimNames(const ModelPort& port) {
  nb::list names;
  for (const std::string& name : port.dim_names) names.append(name);
  return nb::tuple(names);
}

std::string portText(const ModelPort& port) {
  std::string shape;
  for (int64_t dim : port.shape) shape += (dim < 0 ? "?" : std::to_string(dim)) + "x";
  return "<Port " + port.name + ": " + (port.ranked ? shape : "*x") + std::string(info(port.type).name) + ">";
}

void bindData(nb::module_& m) {
  nb::class_<DeviceInfo>(m, "Device", "A processor of this machine.")
      .def_ro("name", &DeviceInfo::name)
      .def_ro("device_class", &DeviceInfo::device_class)
      .def_ro("kind", &DeviceInfo::kind)
      .def_ro("description", &DeviceInfo::description)
      .def_ro("shares", &DeviceInfo::shares)
      .def_ro("compute_units", &DeviceInfo::compute_units)
      .def_prop_ro("memory_bytes", [](const DeviceInfo& d) { return static_cast<int64_t>(d.memory.value); })
      .def("__repr__", [](const DeviceInfo& d) {
        return "<Device " + d.name + ": " + d.device_class + ", " + d.kind + ", " + d.description + ">";
      });
  nb::class_<ModelPort>(m, "Port", "An input or output of a model.")
      .def_ro("name", &ModelPort::name)
      .def_prop_ro("type", [](const ModelPort& port) { return std::string(info(port.type).name); })
      .def_prop_ro("shape", shapeOf)
      .def_prop_ro("dim_names", dimNames)
      .def("__repr__", portText);
}

void bindProgram(nb::module_& m) {
  using Path = std::filesystem::path;
  nb::class_<Model>(m, "Program", "A compiled model. Calls on one program are serialised.")
      .def("__call__", &call<Model>,
           "Run once: arrays by position or by the inputs' names, of the inputs' types and shapes (see "
           "`inputs`).\n\n"
           "Returns one array, or a tuple in the model's order. Raises InputError when an input does not "
           "fit,\n"
           "DeviceError when a device fails. The GIL is released while it runs.")
      .def_prop_ro("inputs", [](const Model& model) { return model.inputs(); })
      .def_prop_ro("outputs", [](const Model& model) { return model.outputs(); })
      .def(
          "report",
          [](const Model& model) {
            return nb::object(nb::module_::import_("json").attr("loads")(model.report().toJson()));
          },
          "The last run as a dict (docs/report.schema.json, `report`); before the first run what the plan "
          "predicts.\n"
          "Times are seconds, sizes bytes; each figure has value, unit and source.")
      .def(
          "save", [](const Model& model, const Path& path) { check(model.save(path)); }, nb::arg("path"),
          "Write the artifact of the variant in use, which load() and `tetrarch run` take.")
      .def(
          "write_trace", [](const Model& model, const Path& path) { check(model.writeTrace(path)); },
          nb::arg("path"), "Write the last run as a Chrome/Perfetto trace.");
  nb::class_<Reference>(m, "Reference",
                        "A model as the reference interpreter computes it: slow, and the oracle.")
      .def("__call__", &call<const Reference>, "Run once, as a Program is called.")
      .def_prop_ro("inputs", [](const Reference& reference) { return reference.inputs(); });
}

void bindFunctions(nb::module_& m) {
  using namespace nb::literals;
  m.def("version", &version);
  m.def("devices", [] { return valueOf(devices()); });
  m.def(
      "load",
      [](const std::string& path, const std::vector<std::string>& specs, const std::string& place,
         bool retune) {
        return finish([&] {
          nb::gil_scoped_release released;
          return Model::load(path, {.devices = specs, .place = place, .retune = retune});
        }());
      },
      "path"_a, "devices"_a, "place"_a, "retune"_a);
  m.def(
      "reference",
      [](const std::string& path, std::map<std::string, int64_t> dims, const std::string& quantize,
         const nb::list& calibration) {
        CompileOptions options;
        options.dims = std::move(dims);
        options.quantize = quantize;
        options.calibration = samplesFrom(calibration);
        return valueOf(Reference::open(path, options));
      },
      "path"_a, "dims"_a, "quantize"_a, "calibration"_a);
  m.def(
      "compile_file",
      [](const std::string& path, std::vector<std::string> devices, std::string place,
         std::map<std::string, int64_t> dims, std::map<std::string, std::vector<int64_t>> shapes,
         nb::dict values, std::string quantize, nb::list calibration, bool measure, bool divide,
         std::string profile, nb::object progress) {
        return compileFile(path, {devices, place, dims, shapes, values, quantize, calibration, measure,
                                  divide, profile, progress});
      },
      "path"_a, nb::kw_only(), "devices"_a, "place"_a, "dims"_a, "shapes"_a, "values"_a, "quantize"_a,
      "calibration"_a, "measure"_a, "divide"_a, "profile"_a, "progress"_a.none());
  m.def(
      "compile_bytes",
      [](const nb::bytes& onnx, const std::string& name, const std::string& folder,
         std::vector<std::string> devices, std::string place, std::map<std::string, int64_t> dims,
         std::map<std::string, std::vector<int64_t>> shapes, nb::dict values, std::string quantize,
         nb::list calibration, bool measure, bool divide, std::string profile, nb::object progress) {
        return compileBytes(onnx, name, folder,
                            {devices, place, dims, shapes, values, quantize, calibration, measure, divide,
                             profile, progress});
      },
      "onnx"_a, "name"_a, "folder"_a, nb::kw_only(), "devices"_a, "place"_a, "dims"_a, "shapes"_a, "values"_a,
      "quantize"_a, "calibration"_a, "measure"_a, "divide"_a, "profile"_a, "progress"_a.none());
}

}  // namespace
}  // namespace tetrarch::python

NB_MODULE(_tetrarch, m) {
  nanobind::set_leak_warnings(false);  // a program that a global still holds at exit is no mistake
  m.doc() = "Tetrarch's C++ API for Python; use it through the package tetrarch.";
  tetrarch::python::bindData(m);
  tetrarch::python::bindProgram(m);
  tetrarch::python::bindFunctions(m);
}
