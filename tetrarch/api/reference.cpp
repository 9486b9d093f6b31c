#include "tetrarch/api/binding.h"
#include "tetrarch/api/interface.h"
#include "tetrarch/api/model.h"

namespace tetrarch {

struct Reference::Impl {
  api::ModelSource source;
  api::Binding binding;
  api::Quantisation quantisation;
  std::vector<ModelPort> inputs;
};

Result<Reference> Reference::open(const std::filesystem::path& path, const CompileOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->source.path = path;
  impl->binding = {options.dims, options.values, options.shapes};
  impl->quantisation = {options.quantize, options.calibration};
  TET_RETURN_IF_ERROR(api::checkQuantisation(impl->quantisation));
  TET_ASSIGN_OR_RETURN(auto interface, api::interfaceOf(impl->source, impl->binding));
  impl->inputs = std::move(interface.inputs);
  return Reference(std::move(impl));
}

Reference::Reference(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reference::Reference(Reference&&) noexcept = default;
Reference& Reference::operator=(Reference&&) noexcept = default;
Reference::~Reference() = default;

const std::vector<ModelPort>& Reference::inputs() const { return impl_->inputs; }

Result<std::vector<Tensor>> Reference::run(std::span<const Tensor> given) const {
  TET_RETURN_IF_ERROR(checkInputs(impl_->inputs, given));
  std::map<std::string, Tensor> by_name;
  for (size_t i = 0; i < given.size(); ++i) by_name[impl_->inputs[i].name] = given[i];
  std::vector<Tensor> outputs;
  TET_RETURN_IF_ERROR(api::bindTo(impl_->inputs, given, impl_->binding, {},
                                  [&](const api::Binding& bound, api::Needs* missing) -> Status {
                                    TET_ASSIGN_OR_RETURN(
                                        outputs, api::interpretModel(impl_->source, bound,
                                                                     impl_->quantisation, by_name, missing));
                                    return {};
                                  }));
  return outputs;
}

}  // namespace tetrarch
