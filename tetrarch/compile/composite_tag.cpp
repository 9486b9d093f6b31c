#include "tetrarch/compile/composite_tag.h"

namespace tetrarch::compile {
namespace {

constexpr llvm::StringLiteral kName("composite"), kNumber("number");

}  // namespace

mlir::Location withTag(mlir::Location location, const CompositeTag& tag) {
  mlir::MLIRContext* context = location->getContext();
  const mlir::NamedAttribute about[] = {{mlir::StringAttr::get(context, kName), tag.name},
                                        {mlir::StringAttr::get(context, kNumber), tag.number}};
  return mlir::FusedLoc::get({location}, mlir::DictionaryAttr::get(context, about), context);
}

llvm::SmallVector<CompositeTag, 2> tagsOf(mlir::Location location) {
  llvm::SmallVector<CompositeTag, 2> tags;
  auto fused = llvm::dyn_cast<mlir::FusedLoc>(location);
  while (fused) {
    if (auto about = llvm::dyn_cast_if_present<mlir::DictionaryAttr>(fused.getMetadata())) {
      tags.push_back({about.getAs<mlir::StringAttr>(kName), about.getAs<mlir::IntegerAttr>(kNumber)});
      if (!tags.back().name || !tags.back().number) tags.pop_back();
    }
    fused = llvm::dyn_cast<mlir::FusedLoc>(fused.getLocations().front());
  }
  return tags;
}

llvm::StringRef frontendName(mlir::Location location) {
  while (auto fused = llvm::dyn_cast<mlir::FusedLoc>(location)) location = fused.getLocations().front();
  auto named = llvm::dyn_cast<mlir::NameLoc>(location);
  return named ? named.getName().strref() : llvm::StringRef();
}

}  // namespace tetrarch::compile
