// What goes into a model and comes out, known before anything is compiled.
#pragma once

#include "tetrarch/api/driver.h"

namespace tetrarch::api {

// The model's inputs and outputs with the sizes that `binding` gives, without the inputs whose values it
// gives. InvalidArgument names a dimension of the binding that the model does not have.
Result<ModelInterface> interfaceOf(const ModelSource& source, const Binding& binding);
// The same of an artifact, where all shapes are known.
ModelInterface interfaceOf(const abi::Manifest& manifest);

}  // namespace tetrarch::api
