// The convolutions of ResNet-50 on one image of 224 x 224, for what is said about how busy the array is.
#pragma once

#include "tetrarch/compile/target/npu/contraction.h"

namespace tetrarch::npu {

struct ConvolutionLayer {
  const char* name;
  int64_t size;  // of the input, height and width
  int64_t channels, columns, taps, stride;
  int64_t times;  // how often it occurs
  bool adds;      // a residual

  int64_t out() const { return (size - 1) / stride + 1; }
};

inline constexpr ConvolutionLayer kResNet50[] = {
    {"stem 7x7", 224, 3, 64, 7, 2, 1, false},
    {"stage 1, 1x1 first", 56, 64, 64, 1, 1, 1, false},
    {"stage 1, 3x3", 56, 64, 64, 3, 1, 3, false},
    {"stage 1, 1x1 up", 56, 64, 256, 1, 1, 3, true},
    {"stage 1, 1x1 shortcut", 56, 64, 256, 1, 1, 1, false},
    {"stage 1, 1x1 down", 56, 256, 64, 1, 1, 2, false},
    {"stage 2, 1x1 first", 56, 256, 128, 1, 1, 1, false},
    {"stage 2, 3x3 halving", 56, 128, 128, 3, 2, 1, false},
    {"stage 2, 1x1 up", 28, 128, 512, 1, 1, 4, true},
    {"stage 2, 1x1 shortcut", 56, 256, 512, 1, 2, 1, false},
    {"stage 2, 1x1 down", 28, 512, 128, 1, 1, 3, false},
    {"stage 2, 3x3", 28, 128, 128, 3, 1, 3, false},
    {"stage 3, 1x1 first", 28, 512, 256, 1, 1, 1, false},
    {"stage 3, 3x3 halving", 28, 256, 256, 3, 2, 1, false},
    {"stage 3, 1x1 up", 14, 256, 1024, 1, 1, 6, true},
    {"stage 3, 1x1 shortcut", 28, 512, 1024, 1, 2, 1, false},
    {"stage 3, 1x1 down", 14, 1024, 256, 1, 1, 5, false},
    {"stage 3, 3x3", 14, 256, 256, 3, 1, 5, false},
    {"stage 4, 1x1 first", 14, 1024, 512, 1, 1, 1, false},
    {"stage 4, 3x3 halving", 14, 512, 512, 3, 2, 1, false},
    {"stage 4, 1x1 up", 7, 512, 2048, 1, 1, 3, true},
    {"stage 4, 1x1 shortcut", 14, 1024, 2048, 1, 2, 1, false},
    {"stage 4, 1x1 down", 7, 2048, 512, 1, 1, 2, false},
    {"stage 4, 3x3", 7, 512, 512, 3, 1, 2, false},
};

// The layer with requantised results; its tensors lie apart, at addresses of its own.
inline Contraction contractionOf(const ConvolutionLayer& layer, const Config& config) {
  constexpr int64_t kApart = int64_t{1} << 27;
  Contraction c;
  c.h = {.out = layer.out(),
         .in = layer.size,
         .taps = layer.taps,
         .stride = layer.stride,
         .low = layer.taps / 2};
  c.w = c.h;
  c.channels = layer.channels, c.columns = layer.columns;
  c.input_w = layer.channels, c.input_h = layer.size * layer.channels;
  c.weights = kApart, c.weight_channel = config.side;
  c.weight_tap_w = layer.channels * config.side, c.weight_tap_h = layer.taps * c.weight_tap_w;
  c.weight_panel = layer.taps * c.weight_tap_h;
  c.output = 2 * kApart, c.output_w = layer.columns, c.output_h = layer.out() * layer.columns;
  c.workspace = 3 * kApart;
  c.epilogue = {.kind = layer.adds ? Epilogue::Kind::RequantizeAdd : Epilogue::Kind::Requantize,
                .parameters = 4 * kApart,
                .other = 5 * kApart,
                .other_shift = 1};
  return c;
}

}  // namespace tetrarch::npu
