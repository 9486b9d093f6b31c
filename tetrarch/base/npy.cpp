#include "tetrarch/base/npy.h"

#include <cstring>
#include <fstream>
#include <optional>

#include "tetrarch/base/whole_file.h"

namespace tetrarch {
namespace {

// magic "\x93NUMPY", major, minor, header length (2 bytes in 1.0, 4 in 2.0), then a Python dict literal:
//   {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }
constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMaxHeader = 1 << 16;

std::optional<std::string> fieldAfter(const std::string& header, const std::string& key, char open,
                                      char close) {
  size_t at = header.find("'" + key + "'");
  if (at == std::string::npos) return std::nullopt;
  at = header.find(open, at + key.size() + 2);
  if (at == std::string::npos) return std::nullopt;
  const size_t end = header.find(close, at + 1);
  if (end == std::string::npos) return std::nullopt;
  return header.substr(at + 1, end - at - 1);
}

std::optional<ElementType> typeFromDescr(std::string descr) {
  if (!descr.empty() && (descr[0] == '=' || descr[0] == '|')) descr[0] = descr.back() == '1' ? '|' : '<';
  // Rows are ordered so that the plain integer wins over the narrow float or i4 that shares its descr.
  for (ElementType type : {ElementType::F64, ElementType::F32, ElementType::F16, ElementType::I1,
                           ElementType::I8, ElementType::I16, ElementType::I32, ElementType::I64,
                           ElementType::U8, ElementType::U16, ElementType::U32, ElementType::U64}) {
    if (info(type).numpy == descr) return type;
  }
  return std::nullopt;
}

std::optional<Shape> parseShape(const std::string& text) {
  Shape shape;
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ' || text[at] == ',') {
      ++at;
      continue;
    }
    int64_t value = 0;
    const size_t start = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      if (at - start > 17) return std::nullopt;
      value = value * 10 + (text[at] - '0');
    }
    if (at == start) return std::nullopt;
    shape.push_back(value);
  }
  return shape;
}

// Fortran order on disk, C order in memory.
void copyTransposed(const std::vector<char>& from, Tensor& to) {
  const size_t size = byteSize(to.type());
  const int64_t rank = to.rank();
  std::vector<int64_t> index(rank, 0);
  for (int64_t i = 0; i < to.count(); ++i) {
    int64_t source = 0;
    for (int64_t d = rank - 1; d >= 0; --d) source = source * to.shape()[d] + index[d];
    std::memcpy(to.as<char>() + i * size, from.data() + source * size, size);
    for (int64_t d = rank - 1; d >= 0 && ++index[d] == to.shape()[d]; --d) index[d] = 0;
  }
}

}  // namespace

Result<Tensor> readNpy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(StatusCode::kNotFound, "{}: cannot be opened", path.string());
  const auto bad = [&](std::string_view why) {
    return invalidArgument("{}: not a .npy file: {}", path.string(), why);
  };
  char lead[8];
  if (!file.read(lead, 8) || std::memcmp(lead, kMagic, 6) != 0) return bad("wrong magic bytes");
  const int length_bytes = lead[6] == 1 ? 2 : 4;
  unsigned char length_field[4] = {};
  if (lead[6] < 1 || lead[6] > 3 || !file.read(reinterpret_cast<char*>(length_field), length_bytes)) {
    return bad("unknown version");
  }
  const size_t length =
      length_field[0] | length_field[1] << 8 | length_field[2] << 16 | size_t{length_field[3]} << 24;
  if (length > kMaxHeader) return bad("header is too long");
  std::string header(length, '\0');
  if (!file.read(header.data(), length)) return bad("truncated header");

  const auto descr = fieldAfter(header, "descr", '\'', '\'');
  const auto dims = fieldAfter(header, "shape", '(', ')');
  if (!descr || !dims) return bad("header lacks descr or shape");
  const auto type = typeFromDescr(*descr);
  if (!type)
    return bad(fmt::format("element type '{}' is not supported (little-endian numbers are)", *descr));
  auto shape = parseShape(*dims);
  if (!shape) return bad("malformed shape");
  const bool fortran = header.find("'fortran_order': True") != std::string::npos;

  // Compare with the file's size before allocating, so that a lying header cannot take memory.
  TET_ASSIGN_OR_RETURN(const int64_t count, elementCount(*shape));
  const auto start = file.tellg();
  file.seekg(0, std::ios::end);
  const auto available = static_cast<uint64_t>(file.tellg() - start);
  if (static_cast<uint64_t>(count) > available / byteSize(*type)) return bad("truncated data");
  file.seekg(start);
  TET_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(*type, std::move(*shape)));
  if (!fortran) {
    file.read(tensor.as<char>(), tensor.bytes());
  } else {
    std::vector<char> raw(tensor.bytes());
    file.read(raw.data(), raw.size());
    copyTransposed(raw, tensor);
  }
  if (!file) return bad("truncated data");
  return tensor;
}

Status writeNpy(const std::filesystem::path& path, const Tensor& tensor) {
  std::string shape;
  for (int64_t dim : tensor.shape()) shape += fmt::format("{}, ", dim);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   info(tensor.type()).numpy, shape);
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  const std::string lead = std::string(kMagic) + '\x01' + '\0' + static_cast<char>(header.size() & 255) +
                           static_cast<char>(header.size() >> 8);
  TET_ASSIGN_OR_RETURN(WholeFile file, WholeFile::create(path));
  TET_RETURN_IF_ERROR(file.write(lead + header));
  TET_RETURN_IF_ERROR(file.write({static_cast<const std::byte*>(tensor.data()), tensor.bytes()}));
  return file.commit();
}

}  // namespace tetrarch
