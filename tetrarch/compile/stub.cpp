#include "mlir/IR/BuiltinOps.h"
#include "tetrarch/compile/passes.h"
#include "tetrarch/graph/tet.h"
namespace tetrarch::compile {
#define GEN_PASS_DEF_REWRITEPASS
#define GEN_PASS_DEF_LAYOUTPASS
#define GEN_PASS_DEF_PACKPASS
#include "tetrarch/compile/passes.h.inc"
struct A : impl::RewritePassBase<A> { void runOnOperation() override {} };
struct B : impl::LayoutPassBase<B> { void runOnOperation() override {} };
struct C : impl::PackPassBase<C> { void runOnOperation() override {} };
}
