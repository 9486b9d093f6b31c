// What a user gives to quantise a model: checked, and cut into samples.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tetrarch/base/status.h"
#include "tetrarch/base/tensor.h"

namespace tetrarch::api {

// An input of the model with its static shape.
struct CalibratedInput {
  std::string name;
  ElementType type = ElementType::F32;
  Shape shape;
};

// How a model is to be computed in narrower numbers, as CompileOptions has it.
struct Quantisation {
  std::string type;  // "", "int8" or "bf16"
  std::vector<std::map<std::string, Tensor>> calibration;
};

// InvalidArgument when the type is unknown, or calibration inputs are there without it, or int8 without them.
Status checkQuantisation(const Quantisation& quantisation);

// All samples, one tensor an input in each. A given tensor is one sample of the input's shape, or several
// along the first dimension: as a multiple of the input's own, or as one dimension more. InvalidArgument
// names the input that is missing, unknown, empty, of another type or shape, or holds a number that is not
// finite.
Result<std::vector<std::vector<Tensor>>> calibrationSamples(const std::vector<CalibratedInput>& inputs,
                                                            const Quantisation& quantisation);

}  // namespace tetrarch::api
