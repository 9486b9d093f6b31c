#include "tetrarch/run/plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace tetrarch::run {
namespace {

struct Error : tet_error {
  Error() : tet_error{sizeof(tet_error), TET_OK, {}} {}
};

// What a plug-in's call returned, with whose call it was in front.
Status toStatus(tet_status code, const tet_error& error, std::string_view where) {
  if (code == TET_OK) return {};
  bool known = code > TET_OK && code <= TET_UNAUTHENTICATED;
  std::string_view message =
      error.message[0] ? std::string_view(error.message) : "the plug-in gives no reason";
  return Status(known ? static_cast<StatusCode>(code) : StatusCode::kUnknown,
                fmt::format("{}: {}", where, message));
}

// Calls a function of the table, with an error to fill as its last argument.
template <typename... Parameters, typename... Arguments>
Status call(const Device& device, tet_status (*function)(Parameters...), Arguments... arguments) {
  Error error;
  tet_status code = function(arguments..., &error);
  if (code == TET_OK) [[likely]]
    return {};
  return toStatus(code, error, device.id().name);
}

// The same for work that was handed to the device: what goes wrong there is the device's fault.
template <typename... Parameters, typename... Arguments>
Status work(const Device& device, tet_status (*function)(Parameters...), Arguments... arguments) {
  Error error;
  tet_status code = function(arguments..., &error);
  if (code == TET_OK) [[likely]]
    return {};
  return device.workError(code, error);
}

// ---- checks of a table
// ------------------------------------------------------------------------------------------

struct Entry {
  const char* name;
  size_t offset;
};
#define TET_ENTRY(name) {#name, offsetof(tet_plugin, name)}
constexpr Entry kRequired[] = {
    TET_ENTRY(device_count),  TET_ENTRY(device_describe), TET_ENTRY(device_open),
    TET_ENTRY(device_close),  TET_ENTRY(device_info),     TET_ENTRY(buffer_alloc),
    TET_ENTRY(buffer_slice),  TET_ENTRY(buffer_free),     TET_ENTRY(buffer_host_pointer),
    TET_ENTRY(module_load),   TET_ENTRY(module_unload),   TET_ENTRY(kernel_find),
    TET_ENTRY(kernel_info),   TET_ENTRY(queue_create),    TET_ENTRY(queue_destroy),
    TET_ENTRY(copy_in),       TET_ENTRY(copy_out),        TET_ENTRY(copy),
    TET_ENTRY(launch),        TET_ENTRY(queue_flush),     TET_ENTRY(queue_finish),
    TET_ENTRY(signal_create), TET_ENTRY(signal_destroy),  TET_ENTRY(signal_query),
    TET_ENTRY(signal_set),    TET_ENTRY(signal_wait),     TET_ENTRY(signal_notify),
    TET_ENTRY(queue_signal),  TET_ENTRY(queue_wait)};
#undef TET_ENTRY
// Where version 1.0's required part ends, and more than any version will need.
constexpr size_t kMinTable = offsetof(tet_plugin, energy_read);
constexpr size_t kMaxTable = 65536;

Status checkTable(const tet_plugin& table) {
  if (table.struct_size < kMinTable || table.struct_size > kMaxTable ||
      table.struct_size % sizeof(void*) != 0) {
    return invalidArgument(
        "its table has struct_size {}, and at least {} is needed; build it against this version",
        table.struct_size, kMinTable);
  }
  if (table.abi_major != TET_ABI_MAJOR) {
    return invalidArgument("it speaks version {}.{} of the device contract and this is {}.{}; build it again",
                           table.abi_major, table.abi_minor, TET_ABI_MAJOR, TET_ABI_MINOR);
  }
  if (!table.name || !*table.name || std::strchr(table.name, ':'))
    return invalidArgument("it has no proper name");
  for (const Entry& entry : kRequired) {
    void* function = nullptr;
    std::memcpy(&function, reinterpret_cast<const char*>(&table) + entry.offset, sizeof function);
    if (!function) return invalidArgument("its table lacks the required entry '{}'", entry.name);
  }
  return {};
}

std::string text(const char* value) { return value ? value : ""; }

abi::Source source(int32_t value) {
  return value >= TET_MEASURED && value <= TET_MODELLED ? static_cast<abi::Source>(value)
                                                        : abi::Source::Modelled;
}

Link link(const tet_link& l) {
  return {l.bytes_per_second.value, l.latency_seconds.value, source(l.bytes_per_second.source)};
}

DeviceInfo convert(const tet_device_info& in) {
  DeviceInfo out;
  out.name = text(in.name), out.description = text(in.description), out.driver = text(in.driver);
  out.features = text(in.features), out.shares = text(in.shares);
  bool known = in.device_class >= TET_CLASS_CPU && in.device_class <= TET_CLASS_OTHER;
  out.device_class = known ? static_cast<abi::DeviceClass>(in.device_class) : abi::DeviceClass::Other;
  out.simulated = in.kind != TET_KIND_REAL;
  out.flags = in.flags, out.element_types = in.element_types;
  out.memory_bytes = in.memory_bytes, out.max_buffer_bytes = in.max_buffer_bytes;
  out.alignment = std::max(in.alignment, 1u), out.compute_units = in.compute_units,
  out.max_queues = in.max_queues;
  for (uint32_t i = 0; i < in.format_count; ++i) out.formats.push_back(text(in.formats[i]));
  for (uint32_t i = 0; i < std::min<uint32_t>(in.counter_count, TET_MAX_COUNTERS); ++i) {
    out.counter_names.push_back(text(in.counter_names[i]));
  }
  out.from_host = link(in.from_host), out.to_host = link(in.to_host);
  out.idle_watts = {in.idle_watts.value, source(in.idle_watts.source)};
  out.busy_watts = {in.busy_watts.value, source(in.busy_watts.source)};
  return out;
}

// "opencl:1" → opencl, 1; the number may be missing.
bool parseName(std::string_view name, std::string_view& plugin, uint32_t& index) {
  size_t colon = name.find(':');
  plugin = name.substr(0, colon);
  index = 0;
  if (colon == std::string_view::npos) return !plugin.empty();
  const char* end = name.data() + name.size();
  auto [at, error] = std::from_chars(name.data() + colon + 1, end, index);
  return error == std::errc() && at == end && !plugin.empty();
}

template <typename T>
using Make = tet_status (*)(tet_device*, T**, tet_error*);

}  // namespace

Result<std::shared_ptr<const Plugin>> loadPlugin(const std::filesystem::path& path) {
  auto wrong = [&](const Status& status) { return propagate(status.withContext(path.string())); };
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = ::dlerror();
    return fail(StatusCode::kNotFound, "{}: the plug-in cannot be loaded: {}", path.string(),
                why ? why : "unknown");
  }
  // From here on the library stays loaded: an initialiser of its may have left threads or handlers behind.
  auto entry = reinterpret_cast<tetrarch_plugin_fn>(::dlsym(library, TET_PLUGIN_SYMBOL));
  if (!entry)
    return wrong(invalidArgument("it exports no '{}', so it is no device plug-in", TET_PLUGIN_SYMBOL));
  const tet_plugin* table = entry();
  if (!table)
    return wrong(fail(StatusCode::kUnavailable, "the plug-in says that it cannot work on this machine"));
  if (Status status = checkTable(*table); !status.ok()) return wrong(status);
  auto plugin = std::make_shared<Plugin>();
  plugin->path = path;
  std::memcpy(&plugin->api, table, std::min(table->struct_size, sizeof plugin->api));
  return plugin;
}

// ---- Device
// -----------------------------------------------------------------------------------------------------

struct Device::Events {
  std::atomic<bool> lost{false};
  static void receive(void* user, const tet_event* event) {
    if (event->kind == TET_EVENT_LOST) static_cast<Events*>(user)->lost = true;
  }
};

Device::~Device() {
  if (handle_) api().device_close(handle_);
}

bool Device::lost() const { return events_->lost; }

Status Device::workError(tet_status code, const tet_error& error) const {
  return toStatus(code, error, id_.name).withContext(plugin_->path.filename().string()).onDevice();
}

Result<Buffer> Device::allocate(uint64_t bytes) {
  tet_buffer* raw = nullptr;
  TET_RETURN_IF_ERROR(call(*this, api().buffer_alloc, handle_, bytes, &raw));
  return Buffer(shared_from_this(), raw, api().buffer_free);
}

Result<Buffer> Device::wrap(void* host, uint64_t bytes) {
  if (!api().buffer_wrap) return unimplemented("{}: the device cannot use host memory", id_.name);
  tet_buffer* raw = nullptr;
  TET_RETURN_IF_ERROR(call(*this, api().buffer_wrap, handle_, host, bytes, &raw));
  return Buffer(shared_from_this(), raw, api().buffer_free);
}

Result<Module> Device::load(const std::string& name, const std::string& format,
                            std::span<const std::byte> bytes) {
  tet_module* raw = nullptr;
  TET_RETURN_IF_ERROR(call(*this, api().module_load, handle_, name.c_str(), format.c_str(),
                           static_cast<const void*>(bytes.data()), uint64_t{bytes.size()}, &raw));
  return Module(shared_from_this(), raw, api().module_unload);
}

Result<Queue> Device::createQueue() {
  tet_queue* raw = nullptr;
  TET_RETURN_IF_ERROR(call(*this, api().queue_create, handle_, &raw));
  return Queue(shared_from_this(), raw, api().queue_destroy);
}

Result<Signal> Device::createSignal(uint64_t initial) {
  tet_signal* raw = nullptr;
  TET_RETURN_IF_ERROR(call(*this, api().signal_create, handle_, initial, &raw));
  return Signal(shared_from_this(), raw, api().signal_destroy);
}

namespace {
Result<double> readFigure(Device& device, tet_status (*read)(tet_device*, tet_figure*, tet_error*),
                          abi::Source* from, std::string_view what) {
  if (!read) return unimplemented("{}: the device has no meter of {}", device.id().name, what);
  tet_figure figure = {};
  TET_RETURN_IF_ERROR(call(device, read, device.handle(), &figure));
  if (from) *from = source(figure.source);
  return figure.value;
}
}  // namespace

Result<double> Device::readJoules(abi::Source* from) {
  return readFigure(*this, api().energy_read, from, "energy");
}
Result<double> Device::readWatts(abi::Source* from) {
  return readFigure(*this, api().power_read, from, "power");
}

// ---- handles
// ----------------------------------------------------------------------------------------------------

Result<Buffer> Buffer::slice(uint64_t offset, uint64_t bytes) const {
  tet_buffer* part = nullptr;
  TET_RETURN_IF_ERROR(call(device(), device().api().buffer_slice, raw(), offset, bytes, &part));
  return Buffer(devicePtr(), part, device().api().buffer_free);
}
void* Buffer::hostPointer() const { return device().api().buffer_host_pointer(raw()); }

Result<Kernel> Module::find(const std::string& symbol) const {
  Kernel kernel;
  TET_RETURN_IF_ERROR(call(device(), device().api().kernel_find, raw(), symbol.c_str(), &kernel.raw_));
  kernel.info_.struct_size = sizeof kernel.info_;
  TET_RETURN_IF_ERROR(call(device(), device().api().kernel_info, kernel.raw_, &kernel.info_));
  if (kernel.info_.granularity == 0)
    return internalError("{}: kernel '{}' has granularity 0", device().id().name, symbol);
  return kernel;
}

Result<Module::Binary> Module::binary() const {
  auto function = device().api().module_binary;
  if (!function) return unimplemented("{}: the device keeps no binaries", device().id().name);
  uint64_t size = 0;
  const char* format = nullptr;
  TET_RETURN_IF_ERROR(
      call(device(), function, raw(), static_cast<void*>(nullptr), uint64_t{0}, &size, &format));
  Binary binary{text(format), std::vector<std::byte>(size)};
  TET_RETURN_IF_ERROR(
      call(device(), function, raw(), static_cast<void*>(binary.bytes.data()), size, &size, &format));
  return binary;
}

Status Signal::wait(uint64_t value, uint64_t timeout_ns) const {
  return work(device(), device().api().signal_wait, raw(), value, timeout_ns);
}

Status Queue::copyIn(const Buffer& to, uint64_t offset, const void* from, uint64_t bytes) const {
  return work(device(), device().api().copy_in, raw(), to.raw(), offset, from, bytes);
}
Status Queue::copyOut(void* to, const Buffer& from, uint64_t offset, uint64_t bytes) const {
  return work(device(), device().api().copy_out, raw(), to, from.raw(), offset, bytes);
}
Status Queue::copy(const Buffer& to, uint64_t to_offset, const Buffer& from, uint64_t from_offset,
                   uint64_t bytes) const {
  return work(device(), device().api().copy, raw(), to.raw(), to_offset, from.raw(), from_offset, bytes);
}
Status Queue::launch(std::span<const tet_launch> launches) const {
  return work(device(), device().api().launch, raw(), launches.data(), uint64_t{launches.size()});
}
Status Queue::signal(const Signal& signal, uint64_t value) const {
  return work(device(), device().api().queue_signal, raw(), signal.raw(), value);
}
Status Queue::wait(const Signal& signal, uint64_t value) const {
  return work(device(), device().api().queue_wait, raw(), signal.raw(), value);
}
Status Queue::flush() const { return work(device(), device().api().queue_flush, raw()); }
Status Queue::finish() const { return work(device(), device().api().queue_finish, raw()); }

// ---- DeviceRegistry
// ---------------------------------------------------------------------------------------------

std::vector<std::filesystem::path> DeviceRegistry::defaultFolders() {
  std::vector<std::filesystem::path> folders;
  if (const char* path = std::getenv("TETRARCH_DEVICE_PATH")) {
    std::istringstream in(path);
    for (std::string folder; std::getline(in, folder, ':');) {
      if (!folder.empty()) folders.emplace_back(folder);
    }
  }
  Dl_info self = {};
  if (::dladdr(reinterpret_cast<const void*>(&loadPlugin), &self) == 0 || !self.dli_fname) return folders;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::canonical(self.dli_fname, error).parent_path();
  if (error) folder = std::filesystem::canonical("/proc/self/exe", error).parent_path();
  folders.push_back(folder / "tetrarch" / "devices");  // beside an installed library
  folders.push_back(folder / "devices");               // inside a Python package
  // A program in bin/ or deeper in a build, up to three levels below the folder that has lib/.
  for (int level = 0; level < 3 && folder.has_relative_path(); ++level) {
    folder = folder.parent_path();
    folders.push_back(folder / "lib" / "tetrarch" / "devices");
  }
  return folders;
}

std::shared_ptr<DeviceRegistry> DeviceRegistry::discover(const std::vector<std::filesystem::path>& folders) {
  auto registry = std::make_shared<DeviceRegistry>();
  for (const std::filesystem::path& folder : folders) registry->loadFolder(folder);
  return registry;
}

DeviceRegistry& DeviceRegistry::instance() {
  static std::shared_ptr<DeviceRegistry> registry = discover();
  return *registry;
}

void DeviceRegistry::loadFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with("tetrarch_") && name.ends_with(".so")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    auto plugin = loadPlugin(file);
    if (!plugin) {
      problems_.emplace_back(plugin.error().message());
    } else if (!findPlugin((*plugin)->api.name)) {
      plugins_.push_back(std::move(*plugin));
    }
  }
}

const Plugin* DeviceRegistry::findPlugin(std::string_view name) const {
  for (const auto& plugin : plugins_) {
    if (plugin->api.name == name) return plugin.get();
  }
  return nullptr;
}

std::vector<DeviceInfo> DeviceRegistry::list() {
  std::vector<DeviceInfo> out;
  for (const auto& plugin : plugins_) {
    Error error;
    uint32_t count = 0;
    tet_status code = plugin->api.device_count(&count, &error);
    for (uint32_t i = 0; code == TET_OK && i < count; ++i) {
      tet_device_info info = {};
      info.struct_size = sizeof info;
      code = plugin->api.device_describe(i, nullptr, &info, &error);
      if (code == TET_OK) out.push_back(convert(info));
    }
    if (code == TET_OK) continue;
    std::string sentence(toStatus(code, error, plugin->path.string()).message());
    if (std::find(problems_.begin(), problems_.end(), sentence) == problems_.end())
      problems_.push_back(sentence);
  }
  return out;
}

Result<std::shared_ptr<Device>> DeviceRegistry::open(const abi::PlanDevice& id) const {
  std::string_view name;
  uint32_t index = 0;
  if (!parseName(id.name, name, index))
    return invalidArgument("'{}' is no device; write cpu or opencl:1", id.name);
  auto found =
      std::find_if(plugins_.begin(), plugins_.end(), [&](const auto& p) { return p->api.name == name; });
  if (found == plugins_.end()) {
    std::string there;
    for (const auto& plugin : plugins_)
      there += fmt::format("{}{}", there.empty() ? "" : ", ", plugin->api.name);
    const std::string file = fmt::format("tetrarch_{}.so", name);
    auto mine = std::find_if(problems_.begin(), problems_.end(),
                             [&](const std::string& p) { return p.find(file) != std::string::npos; });
    if (mine == problems_.end()) mine = problems_.begin();
    std::string broken = problems_.empty() ? "" : fmt::format("; left out: {}", *mine);
    return fail(StatusCode::kNotFound, "there is no device plug-in '{}' (there are: {}{})", name,
                there.empty() ? "none" : there, broken);
  }
  std::shared_ptr<Device> device(new Device);
  device->plugin_ = *found;
  device->events_ = std::make_unique<Device::Events>();
  device->id_ = id;
  tet_open_args args = {sizeof args,
                        index,
                        0,
                        id.options.empty() ? nullptr : id.options.c_str(),
                        Device::Events::receive,
                        device->events_.get()};
  TET_RETURN_IF_ERROR(
      call(*device, device->api().device_open, static_cast<const tet_open_args*>(&args), &device->handle_));
  tet_device_info info = {};
  info.struct_size = sizeof info;
  TET_RETURN_IF_ERROR(call(*device, device->api().device_info, device->handle_, &info));
  device->info_ = convert(info);
  return device;
}

}  // namespace tetrarch::run
