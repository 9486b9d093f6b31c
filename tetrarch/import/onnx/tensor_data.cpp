#include "tetrarch/import/onnx/tensor_data.h"

#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <span>

#include "tetrarch/import/onnx/external_data.h"

namespace tetrarch::onnx {
namespace {

// TensorProto.DataType by number.
constexpr std::array<std::string_view, 29> kDataTypeNames = {
    "undefined",      "float",      "uint8",          "int8",       "uint16",    "int16",
    "int32",          "int64",      "string",         "bool",       "float16",   "double",
    "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
    "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};

// Bytes of `count` elements in raw_data and in a file: only i4 is packed there, two to a byte.
int64_t packedBytes(ElementType type, int64_t count) {
  return type == ElementType::I4 ? (count + 1) / 2 : count * static_cast<int64_t>(byteSize(type));
}

// Copies packed bytes into a tensor's storage, where i4 takes a byte and i1 is 0 or 1.
void unpack(std::span<const std::byte> from, Tensor& to) {
  auto* out = to.as<int8_t>();
  if (to.type() == ElementType::I4) {
    for (int64_t i = 0; i < to.count(); ++i) {
      const int nibble = (std::to_integer<int>(from[i / 2]) >> (i % 2 * 4)) & 15;
      out[i] = static_cast<int8_t>((nibble ^ 8) - 8);
    }
  } else if (to.type() == ElementType::I1) {
    for (int64_t i = 0; i < to.count(); ++i) out[i] = from[i] != std::byte{0};
  } else if (!from.empty()) {
    std::memcpy(to.data(), from.data(), from.size());
  }
}

Result<Tensor> fromBytes(ElementType type, Shape shape, std::span<const std::byte> bytes) {
  TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(type, std::move(shape)));
  unpack(bytes, tensor);
  return tensor;
}

bool isAligned(const void* data, ElementType type) {
  return reinterpret_cast<uintptr_t>(data) % byteSize(type) == 0;
}

Result<Tensor> fromRawData(ElementType type, Shape shape, int64_t count, const std::string& raw,
                           const TensorSource& source) {
  if (static_cast<int64_t>(raw.size()) != packedBytes(type, count)) {
    return invalidArgument("its type and shape need {} bytes, it has {}", packedBytes(type, count),
                           raw.size());
  }
  const bool as_is = type != ElementType::I4 && type != ElementType::I1;
  if (as_is && source.owner && isAligned(raw.data(), type)) {
    return Tensor::view(type, std::move(shape), const_cast<char*>(raw.data()), source.owner);
  }
  return fromBytes(type, std::move(shape), std::as_bytes(std::span(raw)));
}

Result<int64_t> parseInteger(const KeyValue& entry) {
  int64_t value = 0;
  const std::string& text = entry.value();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalidArgument("its external {} is not a number", entry.key());
  }
  return value;
}

Result<Tensor> fromFile(ElementType type, Shape shape, int64_t count, const TensorData& data,
                        const TensorSource& source) {
  std::string location;
  int64_t offset = 0;
  std::optional<int64_t> length;
  for (const KeyValue& entry : data.external_data()) {
    if (entry.key() == "location") {
      location = entry.value();
    } else if (entry.key() == "offset") {
      TET_ASSIGN_OR_RETURN(offset, parseInteger(entry));
    } else if (entry.key() == "length") {
      TET_ASSIGN_OR_RETURN(length, parseInteger(entry));
    }
  }
  TET_ASSIGN_OR_RETURN(Tensor bytes,
                       readExternalData(source.folder, location, offset, length, packedBytes(type, count)));
  if (type == ElementType::I4 || type == ElementType::I1)
    return fromBytes(type, std::move(shape), {bytes.as<std::byte>(), bytes.bytes()});
  auto owner = std::make_shared<Tensor>(std::move(bytes));
  return Tensor::view(type, std::move(shape), owner->data(), owner);
}

// float_data and its siblings: one number an element, except that the packed types hold their bytes in
// int32_data.
template <typename Field>
Result<Tensor> fromNumbers(ElementType type, Shape shape, int64_t count, const Field& field) {
  const int64_t needed = type == ElementType::I4 ? (count + 1) / 2 : count;
  if (field.size() != needed) {
    return invalidArgument("its type and shape need {} elements, it has {}", needed, field.size());
  }
  TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(type, std::move(shape)));
  for (int64_t i = 0; i < count; ++i) {
    const auto number = field[static_cast<int>(type == ElementType::I4 ? i / 2 : i)];
    if (type == ElementType::I4) {
      const int nibble = (static_cast<int>(number) >> (i % 2 * 4)) & 15;
      tensor.setInt(i, (nibble ^ 8) - 8);
    } else if (type == ElementType::F32 || type == ElementType::F64) {
      tensor.setDouble(i, static_cast<double>(number));
    } else if (isFloat(type)) {  // f16 and narrower travel as their bits
      const auto bits = static_cast<uint32_t>(static_cast<int64_t>(number));
      std::memcpy(tensor.as<std::byte>() + i * byteSize(type), &bits, byteSize(type));
    } else {
      tensor.setInt(i, static_cast<int64_t>(number));
    }
  }
  return tensor;
}

Result<Tensor> fromTypedField(ElementType type, Shape shape, int64_t count, const TensorData& data) {
  switch (type) {
    case ElementType::F32:
      return fromNumbers(type, std::move(shape), count, data.float_data());
    case ElementType::F64:
      return fromNumbers(type, std::move(shape), count, data.double_data());
    case ElementType::I64:
      return fromNumbers(type, std::move(shape), count, data.int64_data());
    case ElementType::U32:
    case ElementType::U64:
      return fromNumbers(type, std::move(shape), count, data.uint64_data());
    default:
      return fromNumbers(type, std::move(shape), count, data.int32_data());
  }
}

// The flat position of non-zero number i, or an error when it lies outside the shape.
Result<int64_t> sparsePosition(const Tensor& indices, int64_t i, const Shape& shape, int64_t count) {
  if (indices.rank() == 1) {
    const int64_t at = indices.getInt(i);
    if (at < 0 || at >= count) return invalidArgument("its index {} lies outside its shape", at);
    return at;
  }
  int64_t at = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    const int64_t index = indices.getInt(i * static_cast<int64_t>(shape.size()) + static_cast<int64_t>(d));
    if (index < 0 || index >= shape[d]) return invalidArgument("its index {} lies outside its shape", index);
    at = at * shape[d] + index;
  }
  return at;
}

}  // namespace

std::string dataTypeName(int data_type) {
  if (data_type >= 0 && data_type < static_cast<int>(kDataTypeNames.size())) {
    return std::string(kDataTypeNames[data_type]);
  }
  return fmt::format("type {}", data_type);
}

Result<ElementType> elementTypeOf(int data_type) {
  if (const auto type = elementTypeFromOnnx(data_type)) return *type;
  if (data_type <= 0 || data_type >= static_cast<int>(kDataTypeNames.size())) {
    return invalidArgument("element type {} does not exist in ONNX", data_type);
  }
  return unimplemented("element type {} is not supported", dataTypeName(data_type));
}

Result<Tensor> readTensor(const TensorData& data, TensorSource& source) {
  TET_ASSIGN_OR_RETURN(const ElementType type, elementTypeOf(data.data_type()));
  Shape shape(data.dims().begin(), data.dims().end());
  auto counted = elementCount(shape);
  if (!counted.has_value()) return invalidArgument("its {}", counted.error().message());
  const int64_t count = *counted;
  // No payload that exists can back more, and beyond it the sizes in bytes would overflow.
  if (shape.size() > 64) return invalidArgument("its shape has {} dimensions", shape.size());
  if (count > (1LL << 40))
    return invalidArgument("its shape has {} elements, more than its file can hold", count);
  if (data.data_location() == 1) return fromFile(type, std::move(shape), count, data, source);
  if (data.data_location() != 0)
    return invalidArgument("its data location {} is unknown", data.data_location());
  if (data.has_raw_data()) return fromRawData(type, std::move(shape), count, data.raw_data(), source);
  return fromTypedField(type, std::move(shape), count, data);
}

Result<Tensor> readSparseTensor(const SparseTensorData& data, TensorSource& source) {
  TET_ASSIGN_OR_RETURN(const Tensor values, readTensor(data.values(), source));
  TET_ASSIGN_OR_RETURN(const Tensor indices, readTensor(data.indices(), source));
  Shape shape(data.dims().begin(), data.dims().end());
  TET_ASSIGN_OR_RETURN(const int64_t count, elementCount(shape));
  if (shape.size() > 64) return invalidArgument("its shape has {} dimensions", shape.size());
  const Shape linear = {values.count()}, full = {values.count(), static_cast<int64_t>(shape.size())};
  if (indices.type() != ElementType::I64 || (indices.shape() != linear && indices.shape() != full)) {
    return invalidArgument("its indices are {}, which does not fit {} values",
                           toString(indices.type(), indices.shape()), values.count());
  }
  const int64_t width = static_cast<int64_t>(byteSize(values.type()));
  if (count > source.bytes_left / width) {
    return fail(StatusCode::kOutOfRange, "its dense form of {} elements is too large", count);
  }
  source.bytes_left -= count * width;
  TET_ASSIGN_OR_RETURN(Tensor dense, Tensor::create(values.type(), shape));
  for (int64_t i = 0; i < values.count(); ++i) {
    TET_ASSIGN_OR_RETURN(const int64_t at, sparsePosition(indices, i, shape, count));
    std::memcpy(dense.as<std::byte>() + at * width, values.as<std::byte>() + i * width, width);
  }
  return dense;
}

}  // namespace tetrarch::onnx
