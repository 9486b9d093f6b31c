#include "python/src/arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <optional>

namespace tetrarch::python {
namespace {

// Letters of the struct module to element types, by size and kind; native byte order only.
std::optional<ElementType> typeOfFormat(const char* format, Py_ssize_t bytes) {
  if (format == nullptr) return ElementType::U8;
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  if (*format == '\0' || format[1] != '\0') return std::nullopt;
  auto sized = [&](ElementType one, ElementType two, ElementType four, ElementType eight) {
    return bytes == 1 ? one : bytes == 2 ? two : bytes == 4 ? four : eight;
  };
  if (*format == '?') return ElementType::I1;
  if (*format == 'e') return ElementType::F16;
  if (*format == 'f') return ElementType::F32;
  if (*format == 'd') return ElementType::F64;
  if (std::strchr("bhilq", *format))
    return sized(ElementType::I8, ElementType::I16, ElementType::I32, ElementType::I64);
  if (std::strchr("BHILQ", *format))
    return sized(ElementType::U8, ElementType::U16, ElementType::U32, ElementType::U64);
  return std::nullopt;
}

// An array of bits stands for a narrow type when NumPy has no other way to say it.
ElementType asPort(ElementType given, ElementType port) {
  return given != port && info(given).numpy == info(port).numpy ? port : given;
}

// A dense exporter of the buffer protocol as a tensor; nullopt, with no Python error set, for anything else.
std::optional<Tensor> fromBuffer(nb::handle value, ElementType port) {
  if (!PyObject_CheckBuffer(value.ptr())) return std::nullopt;
  auto release = [](Py_buffer* buffer) {
    nb::gil_scoped_acquire gil;
    PyBuffer_Release(buffer);
    delete buffer;
  };
  auto raw = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(value.ptr(), raw.get(), PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
    PyErr_Clear();
    return std::nullopt;
  }
  std::shared_ptr<Py_buffer> buffer(raw.release(), release);
  const auto type = typeOfFormat(buffer->format, buffer->itemsize);
  if (!type) return std::nullopt;
  return Tensor::view(asPort(*type, port), Shape(buffer->shape, buffer->shape + buffer->ndim), buffer->buf,
                      buffer);
}

std::optional<ElementType> typeOfDlpack(nb::dlpack::dtype dtype) {
  using Code = nb::dlpack::dtype_code;
  for (int i = 0; i < kElementTypeCount; ++i) {
    const auto type = static_cast<ElementType>(i);
    if (info(type).bits != dtype.bits && !(type == ElementType::I1 && dtype.bits == 8)) continue;
    const auto code = static_cast<Code>(dtype.code);
    const bool match = type == ElementType::BF16                ? code == Code::Bfloat
                       : type == ElementType::F8E4M3FN          ? code == Code::Float8_E4M3FN
                       : type == ElementType::F8E5M2            ? code == Code::Float8_E5M2
                       : isFloat(type)                          ? code == Code::Float
                       : type == ElementType::I1                ? code == Code::Bool
                       : info(type).kind == ElementKind::Signed ? code == Code::Int
                                                                : code == Code::UInt;
    if (match) return type;
  }
  return std::nullopt;
}

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

std::optional<Tensor> fromDlpack(nb::handle value, ElementType port) {
  Array array;
  if (!nb::try_cast<Array>(value, array, false)) return std::nullopt;
  const auto type = typeOfDlpack(array.dtype());
  if (!type) return std::nullopt;
  Shape shape(array.ndim());
  for (size_t i = 0; i < shape.size(); ++i) shape[i] = static_cast<int64_t>(array.shape(i));
  auto release = [](Array* held) {
    nb::gil_scoped_acquire gil;
    delete held;
  };
  void* data = const_cast<void*>(static_cast<const void*>(array.data()));
  return Tensor::view(asPort(*type, port), std::move(shape), data,
                      std::shared_ptr<Array>(new Array(std::move(array)), release));
}

nb::dlpack::dtype dlpackOf(ElementType type) {
  using Code = nb::dlpack::dtype_code;
  const char kind = info(type).numpy[1];  // 'f', 'i', 'u' or 'b' of NumPy's descr
  const Code code = kind == 'f'   ? Code::Float
                    : kind == 'i' ? Code::Int
                    : kind == 'u' ? Code::UInt
                                  : Code::Bool;
  return {static_cast<uint8_t>(code), static_cast<uint8_t>(byteSize(type) * 8), 1};
}

bool isNarrow(ElementType type) {
  return type == ElementType::BF16 || type == ElementType::F8E4M3FN || type == ElementType::F8E5M2 ||
         type == ElementType::I4;
}

nb::object helper(const char* name) { return nb::module_::import_("tetrarch._arrays").attr(name); }

}  // namespace

Tensor tensorFrom(nb::handle value, ElementType type) {
  // Halves of a byte are brought into range by the helper.
  const bool whole_bytes = type != ElementType::I4;
  if (whole_bytes) {
    if (auto tensor = fromBuffer(value, type)) return std::move(*tensor);
  }
  if (whole_bytes && nb::hasattr(value, "__dlpack__") && !PyObject_CheckBuffer(value.ptr())) {
    if (auto tensor = fromDlpack(value, type)) return std::move(*tensor);
  }
  const std::string name(info(type).name), numpy(info(type).numpy);
  const nb::object array = helper("prepare")(value, name, numpy);
  if (auto tensor = fromBuffer(array, type)) return std::move(*tensor);
  throw nb::type_error("an input is an array of numbers in this machine's byte order");
}

nb::object arrayFrom(Tensor tensor) {
  const ElementType type = tensor.type();
  auto* owner = new Tensor(std::move(tensor));
  const nb::capsule capsule(owner, [](void* held) noexcept { delete static_cast<Tensor*>(held); });
  const std::vector<size_t> shape(owner->shape().begin(), owner->shape().end());
  const nb::ndarray<nb::numpy> array(owner->data(), shape.size(), shape.data(), capsule, nullptr,
                                     dlpackOf(type));
  nb::object object = nb::cast(array);
  return isNarrow(type) ? helper("present")(object, std::string(info(type).name)) : object;
}

}  // namespace tetrarch::python
