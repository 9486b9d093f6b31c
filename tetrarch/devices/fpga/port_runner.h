// A port's way through DRAM, as the shell's DMA walks it.
#pragma once

#include "tetrarch/abi/fpga_program.h"
#include "tetrarch/devices/fpga/chip.h"
#include "tetrarch/devices/fpga/walk.h"

namespace tetrarch::fpga {

class PortRunner {
 public:
  // REQUIRES: verify() accepts the kernel.
  PortRunner(const Kernel& kernel, const Port& port);

  const Port& port() const { return port_; }
  int64_t beats() const { return odometer_.size() / static_cast<int64_t>(stream_.lanes); }
  bool isDone() const { return odometer_.left() == 0; }
  // Of unit number `unit`, over that buffer.
  void reset(int64_t unit, void* buffer);
  // Moves beats between the buffer and the queue, at most until the queue of an input holds `limit` beats;
  // whether it moved any.
  bool advance(BeatQueue& queue, size_t limit);

  // All beats of a unit, as an input would bring them.
  std::vector<uint64_t> read(int64_t unit, const void* buffer);
  // As an output would bring them.
  void write(int64_t unit, void* buffer, const std::vector<uint64_t>& elements);

 private:
  int64_t firstOf(int64_t unit) const;
  void readBlock(size_t count, uint64_t* elements);
  void writeBlock(size_t count, const uint64_t* elements);
  void walkBlock(size_t count);

  const Port& port_;
  const Stream& stream_;
  const std::vector<int64_t> units_;
  Odometer odometer_;
  Walker walker_;
  int64_t base_ = 0;  // the unit's first element
  std::byte* buffer_ = nullptr;
  std::vector<uint8_t> levels_;
  std::vector<uint64_t> places_;
};

}  // namespace tetrarch::fpga
