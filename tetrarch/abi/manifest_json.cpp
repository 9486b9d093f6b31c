// The manifest as JSON. Each struct lists its fields once, in describe(); Writer and Reader walk that list.
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "tetrarch/abi/manifest.h"

namespace tetrarch::abi {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kSourceNames = {"measured", "simulated", "modelled"};
constexpr std::array<std::string_view, 5> kClassNames = {"cpu", "gpu", "fpga", "asic", "other"};
constexpr std::array<std::string_view, 3> kKindNames = {"input", "constant", "temporary"};

template <typename Enum, size_t N>
std::optional<Enum> enumFromName(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

// ---- the fields, one row each: key, member; optional ones are left out when they hold their default
// -------------

// describe(v, x) of a struct, which may be constant: the visitor `v` sees each field of `x`.
#define TET_FIELDS(Struct)                                  \
  template <typename Visitor, typename T>                   \
    requires std::is_same_v<std::remove_const_t<T>, Struct> \
  void describe(Visitor& v, T& x)

TET_FIELDS(Port) {
  v("name", x.name);
  v("type", x.type);
  v("shape", x.shape);
  v("tensor", x.tensor);
}

TET_FIELDS(TensorEntry) {
  v("type", x.type);
  v("shape", x.shape);
  v("bytes", x.bytes);
  v("kind", x.kind);
  v.optional("offset", x.offset, uint64_t{0});
  v.optional("alias_of", x.alias_of, -1);
}

TET_FIELDS(TaskEntry) {
  v("name", x.name);
  v("root", x.root);
  v("hash", x.hash);
  v("inputs", x.inputs);
  v("outputs", x.outputs);
  v("flops", x.flops);
  v("bytes", x.bytes);
  v.optional("error", x.error, std::optional<double>());
  v.optional("largest_error", x.largest_error, std::optional<double>());
}

TET_FIELDS(KernelEntry) {
  v("symbol", x.symbol);
  v.optional("reason", x.reason, std::string());
  v.optional("units", x.units, uint64_t{0});
  v.optional("granularity", x.granularity, uint64_t{1});
  v.optional("workspace_bytes", x.workspace_bytes, uint64_t{0});
  v.optional("rows", x.rows, uint64_t{0});
  v.optional("row_tile", x.row_tile, uint64_t{1});
  v.optional("utilisation", x.utilisation, std::optional<double>());
}

TET_FIELDS(CodeEntry) {
  v("generator", x.generator);
  v("device_class", x.device_class);
  v("format", x.format);
  v("features", x.features);
  v("section", x.section);
  v.optional("binary", x.binary, -1);
  v.optional("binary_format", x.binary_format, std::string());
  v.optional("binary_driver", x.binary_driver, std::string());
  v("kernels", x.kernels);
}

TET_FIELDS(CostEntry) {
  v("task", x.task);
  v("device", x.device);
  v("seconds", x.seconds);
  v("stddev", x.stddev);
  v("source", x.source);
  v.optional("joules", x.joules, std::optional<double>());
  v.optional("joules_source", x.joules_source, Source::Modelled);
}

TET_FIELDS(PlanDevice) {
  v("name", x.name);
  v.optional("options", x.options, std::string());
}

TET_FIELDS(SinglePrice) {
  v("device", x.device);
  v("seconds", x.seconds);
  v("source", x.source);
}

TET_FIELDS(SegmentEntry) {
  v("first_task", x.first_task);
  v("symbol", x.symbol);
  v("shares", x.shares);
  v("utilisation", x.utilisation);
}

TET_FIELDS(PlanCode) {
  v("device", x.device);
  v("code", x.code);
  v("section", x.section);
  v("segments", x.segments);
  v.optional("kernels", x.kernels, std::vector<KernelEntry>());
}

TET_FIELDS(PlanEntry) {
  v("name", x.name);
  v("devices", x.devices);
  v("placement", x.placement);
  v("seconds", x.seconds);
  v("lower_bound_seconds", x.lower_bound_seconds);
  v("source", x.source);
  v("singles", x.singles);
  v.optional("reasons", x.reasons, std::vector<std::string>());
  v.optional("code", x.code, std::vector<PlanCode>());
}

TET_FIELDS(Maker) {
  v("tetrarch", x.tetrarch);
  v("llvm", x.llvm);
  v("host", x.host);
  v("host_features", x.host_features);
}

TET_FIELDS(Manifest) {
  v("model", x.model);
  v("source", x.source);
  v("source_hash", x.source_hash);
  v("dims", x.dims);
  v.optional("precision", x.precision, std::string());
  v("inputs", x.inputs);
  v("outputs", x.outputs);
  v("tensors", x.tensors);
  v("tasks", x.tasks);
  v("code", x.code);
  v("costs", x.costs);
  v("plans", x.plans);
  v("maker", x.maker);
}

#undef TET_FIELDS

// ---- to JSON
// -----------------------------------------------------------------------------------------------------

template <typename T>
Json write(const T& value);
inline Json write(const std::string& value) { return value; }
inline Json write(int value) { return value; }
inline Json write(int64_t value) { return value; }
inline Json write(uint64_t value) { return value; }
inline Json write(double value) { return value; }
inline Json write(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
inline Json write(ElementType value) { return info(value).name; }
inline Json write(Source value) { return sourceName(value); }
inline Json write(DeviceClass value) { return deviceClassName(value); }
inline Json write(TensorKind value) { return kKindNames[static_cast<size_t>(value)]; }
inline Json write(const std::map<std::string, int64_t>& value) { return value; }
inline Json write(const Share& value) { return Json::array({value.device, value.begin, value.end}); }

// One task's place: the number of a device, or [device, begin, end] for each that shares it.
inline Json write(const std::vector<Share>& shares) {
  if (shares.size() == 1 && shares[0] == Share{shares[0].device}) return shares[0].device;
  Json array = Json::array();
  for (const Share& share : shares) array.push_back(write(share));
  return array;
}

template <typename T>
Json write(const std::vector<T>& values) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(write(value));
  return array;
}

struct Writer {
  Json object = Json::object();
  template <typename T>
  void operator()(const char* key, const T& value) {
    object[key] = write(value);
  }
  template <typename T>
  void optional(const char* key, const T& value, const T& absent) {
    if (value != absent) (*this)(key, value);
  }
};

template <typename T>
Json write(const T& value) {
  Writer writer;
  describe(writer, value);
  return std::move(writer.object);
}

// ---- from JSON
// ---------------------------------------------------------------------------------------------------

// Where we are, spelled out only when something is wrong: "tasks[3].inputs[0]".
struct Path {
  const Path* parent = nullptr;
  const char* key = nullptr;
  size_t index = 0;
  std::string toString() const {
    if (!parent) return {};
    std::string front = parent->toString();
    if (!key) return fmt::format("{}[{}]", front, index);
    return front.empty() ? std::string(key) : fmt::format("{}.{}", front, key);
  }
};

Status wrong(const Path& path, std::string_view expected) {
  return invalidArgument("{}: expected {}", path.parent ? path.toString() : "the manifest", expected);
}

template <typename T>
Status read(const Json& json, const Path& path, T& value);

Status read(const Json& json, const Path& path, std::string& value) {
  if (!json.is_string()) return wrong(path, "a string");
  value = *json.get_ptr<const std::string*>();
  return {};
}

Status read(const Json& json, const Path& path, uint64_t& value) {
  if (!json.is_number_unsigned()) return wrong(path, "a whole number, 0 or more");
  value = *json.get_ptr<const Json::number_unsigned_t*>();
  return {};
}

Status read(const Json& json, const Path& path, int64_t& value) {
  if (json.is_number_unsigned()) {
    uint64_t magnitude = *json.get_ptr<const Json::number_unsigned_t*>();
    if (magnitude > INT64_MAX) return wrong(path, "a whole number below 2^63");
    value = static_cast<int64_t>(magnitude);
    return {};
  }
  if (!json.is_number_integer()) return wrong(path, "a whole number");
  value = *json.get_ptr<const Json::number_integer_t*>();
  return {};
}

Status read(const Json& json, const Path& path, int& value) {
  int64_t wide = 0;
  TET_RETURN_IF_ERROR(read(json, path, wide));
  if (wide < INT32_MIN || wide > INT32_MAX) return wrong(path, "a whole number of 32 bits");
  value = static_cast<int>(wide);
  return {};
}

Status read(const Json& json, const Path& path, double& value) {
  if (!json.is_number()) return wrong(path, "a number");
  value = json.is_number_float()      ? *json.get_ptr<const Json::number_float_t*>()
          : json.is_number_unsigned() ? static_cast<double>(*json.get_ptr<const Json::number_unsigned_t*>())
                                      : static_cast<double>(*json.get_ptr<const Json::number_integer_t*>());
  return {};
}

Status read(const Json& json, const Path& path, std::optional<double>& value) {
  return read(json, path, value.emplace());
}

template <typename Enum>
Status readEnum(const Json& json, const Path& path, std::string_view what,
                std::optional<Enum> (*from_name)(std::string_view), Enum& value) {
  std::string name;
  TET_RETURN_IF_ERROR(read(json, path, name));
  std::optional<Enum> found = from_name(name);
  if (!found) return invalidArgument("{}: '{}' is not {}", path.toString(), name, what);
  value = *found;
  return {};
}

std::optional<TensorKind> tensorKindFromName(std::string_view name) {
  return enumFromName<TensorKind>(kKindNames, name);
}

Status read(const Json& json, const Path& path, ElementType& value) {
  return readEnum(json, path, "an element type", elementTypeFromName, value);
}
Status read(const Json& json, const Path& path, Source& value) {
  return readEnum(json, path, "one of measured, simulated, modelled", sourceFromName, value);
}
Status read(const Json& json, const Path& path, DeviceClass& value) {
  return readEnum(json, path, "one of cpu, gpu, fpga, asic, other", deviceClassFromName, value);
}
Status read(const Json& json, const Path& path, TensorKind& value) {
  return readEnum(json, path, "one of input, constant, temporary", tensorKindFromName, value);
}

Status read(const Json& json, const Path& path, std::map<std::string, int64_t>& values) {
  if (!json.is_object()) return wrong(path, "an object");
  for (const auto& [key, element] : json.items()) {
    Path inner{&path, key.c_str()};
    TET_RETURN_IF_ERROR(read(element, inner, values[key]));
  }
  return {};
}

Status read(const Json& json, const Path& path, Share& share) {
  if (!json.is_array() || json.size() != 3) return wrong(path, "[device, begin, end]");
  TET_RETURN_IF_ERROR(read(json[0], Path{&path, nullptr, 0}, share.device));
  TET_RETURN_IF_ERROR(read(json[1], Path{&path, nullptr, 1}, share.begin));
  return read(json[2], Path{&path, nullptr, 2}, share.end);
}

template <typename T>
Status read(const Json& json, const Path& path, std::vector<T>& values) {
  if constexpr (std::is_same_v<T, Share>) {
    if (json.is_number_integer()) {
      values.resize(1);
      return read(json, path, values[0].device);
    }
  }
  if (!json.is_array()) return wrong(path, "an array");
  values.resize(json.size());
  for (size_t i = 0; i < values.size(); ++i) {
    TET_RETURN_IF_ERROR(read(json[i], Path{&path, nullptr, i}, values[i]));
  }
  return {};
}

// Unknown keys are skipped: a newer minor version may have added them.
struct Reader {
  const Json& object;
  const Path& path;
  Status status;

  template <typename T>
  void operator()(const char* key, T& value) {
    if (!status.ok()) return;
    auto found = object.find(key);
    status = found == object.end() ? missing(key) : read(*found, Path{&path, key}, value);
  }
  template <typename T>
  void optional(const char* key, T& value, const std::type_identity_t<T>& absent) {
    if (!status.ok()) return;
    auto found = object.find(key);
    if (found == object.end()) {
      value = absent;
    } else {
      status = read(*found, Path{&path, key}, value);
    }
  }
  Status missing(const char* key) const {
    return invalidArgument("{}: the field is missing", Path{&path, key}.toString());
  }
};

template <typename T>
Status read(const Json& json, const Path& path, T& value) {
  if (!json.is_object()) return wrong(path, "an object");
  Reader reader{json, path, {}};
  describe(reader, value);
  return reader.status;
}

// The deepest nesting of brackets outside strings; cheap, and bounds the parser's memory before it runs.
int nesting(std::string_view json) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

std::string_view sourceName(Source source) { return kSourceNames[static_cast<size_t>(source)]; }
std::optional<Source> sourceFromName(std::string_view name) {
  return enumFromName<Source>(kSourceNames, name);
}
std::string_view deviceClassName(DeviceClass c) { return kClassNames[static_cast<size_t>(c)]; }
std::optional<DeviceClass> deviceClassFromName(std::string_view name) {
  return enumFromName<DeviceClass>(kClassNames, name);
}

std::string toJson(const Manifest& manifest) {
  return write(manifest).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Manifest> parseManifest(std::string_view text, const std::vector<SectionSummary>& sections) {
  if (text.size() > kMaxManifestBytes) {
    return invalidArgument("the manifest has {} bytes; at most {} are allowed", text.size(),
                           kMaxManifestBytes);
  }
  if (int depth = nesting(text); depth > kMaxManifestDepth) {
    return invalidArgument("the manifest is nested {} deep; at most {} is allowed", depth, kMaxManifestDepth);
  }
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return invalidArgument("the manifest is not well-formed JSON");
  Manifest manifest;
  TET_RETURN_IF_ERROR(read(json, Path{}, manifest));
  TET_RETURN_IF_ERROR(validate(manifest, sections));
  return manifest;
}

}  // namespace tetrarch::abi
