#include "tetrarch/devices/fpga/port_runner.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tetrarch/devices/fpga/evaluate.h"

namespace tetrarch::fpga {
namespace {

constexpr size_t kBlock = 1024;  // elements at once, or one beat if that has more

std::vector<int64_t> extentsOf(const Port& port) {
  std::vector<int64_t> extents;
  for (const Port::Loop& loop : port.loops) extents.push_back(loop.extent);
  return extents;
}

std::vector<int64_t> stridesOf(const Port& port) {
  std::vector<int64_t> strides;
  for (const Port::Loop& loop : port.loops) strides.push_back(loop.stride);
  return strides;
}

// Calls visit(bytes) with a number that the compiler knows where it is usual.
template <typename Visit>
void withBytes(int bytes, Visit&& visit) {
  switch (bytes) {
    case 1:
      return visit(std::integral_constant<size_t, 1>());
    case 2:
      return visit(std::integral_constant<size_t, 2>());
    case 4:
      return visit(std::integral_constant<size_t, 4>());
    default:
      return visit(static_cast<size_t>(bytes));
  }
}

}  // namespace

PortRunner::PortRunner(const Kernel& kernel, const Port& port)
    : port_(port),
      stream_(kernel.streams[port.stream]),
      units_(kernel.units),
      odometer_(extentsOf(port)),
      walker_(extentsOf(port), 0, stridesOf(port)),
      levels_(std::max<size_t>(kBlock, stream_.lanes)),
      places_(levels_.size()) {}

int64_t PortRunner::firstOf(int64_t unit) const {
  int64_t first = port_.offset;
  for (size_t i = units_.size(); i-- > 0;) {
    first += unit % units_[i] * port_.unit_strides[i];
    unit /= units_[i];
  }
  return first;
}

void PortRunner::reset(int64_t unit, void* buffer) {
  odometer_.reset();
  walker_.reset();
  base_ = firstOf(unit);
  buffer_ = static_cast<std::byte*>(buffer);
}

void PortRunner::walkBlock(size_t count) {
  odometer_.levels(count, levels_.data());
  walker_.walk(count, levels_.data(), ~uint64_t{0}, places_.data());
  odometer_.advance(count);
}

void PortRunner::readBlock(size_t count, uint64_t* elements) {
  walkBlock(count);
  const std::byte* base = buffer_ + base_ * port_.storage_bytes;
  const uint64_t mask = onesOf(stream_.type.width);
  withBytes(port_.storage_bytes, [&](auto bytes) {
    for (size_t i = 0; i < count; ++i) {
      uint64_t value = 0;
      std::memcpy(&value, base + static_cast<int64_t>(places_[i]) * static_cast<int64_t>(bytes), bytes);
      elements[i] = value & mask;
    }
  });
}

void PortRunner::writeBlock(size_t count, const uint64_t* elements) {
  walkBlock(count);
  std::byte* base = buffer_ + base_ * port_.storage_bytes;
  const int width = stream_.type.width;
  const bool extends = !stream_.type.isFloat();
  withBytes(port_.storage_bytes, [&](auto bytes) {
    for (size_t i = 0; i < count; ++i) {
      const uint64_t value = extends ? static_cast<uint64_t>(signedValue(elements[i], width)) : elements[i];
      std::memcpy(base + static_cast<int64_t>(places_[i]) * static_cast<int64_t>(bytes), &value, bytes);
    }
  });
}

bool PortRunner::advance(BeatQueue& queue, size_t limit) {
  const size_t lanes = queue.lanes(), block = levels_.size() / lanes;
  bool any = false;
  for (;;) {
    const size_t left = static_cast<size_t>(odometer_.left()) / lanes;
    const size_t room = port_.is_input ? limit - std::min(limit, queue.size()) : queue.size();
    const size_t beats = std::min({left, room, block});
    if (beats == 0) return any;
    if (port_.is_input) {
      readBlock(beats * lanes, queue.grow(beats));
    } else {
      writeBlock(beats * lanes, queue.front());
      queue.pop(beats);
    }
    any = true;
  }
}

std::vector<uint64_t> PortRunner::read(int64_t unit, const void* buffer) {
  reset(unit, const_cast<void*>(buffer));
  std::vector<uint64_t> elements(static_cast<size_t>(odometer_.size()));
  for (size_t at = 0; at < elements.size();) {
    const size_t count = std::min(levels_.size(), elements.size() - at);
    readBlock(count, elements.data() + at);
    at += count;
  }
  return elements;
}

void PortRunner::write(int64_t unit, void* buffer, const std::vector<uint64_t>& elements) {
  reset(unit, buffer);
  for (size_t at = 0; at < elements.size();) {
    const size_t count = std::min(levels_.size(), elements.size() - at);
    writeBlock(count, elements.data() + at);
    at += count;
  }
}

}  // namespace tetrarch::fpga
