// Elementwise operators, casts, and the trivial ones.
#include <cmath>
#include <limits>

#include "tetrarch/import/compositions.h"
#include "tetrarch/import/onnx/importer.h"
#include "tetrarch/import/onnx/op_context.h"

namespace tetrarch::onnx {
namespace {

using enum tet::ComparisonDirection;

bool isUnsigned(Value x) { return info(typeOf(x)).kind == ElementKind::Unsigned; }

// The operands' first one, then the others one by one.
Status foldVariadic(OpContext& n, llvm::StringRef op) {
  Value result = n.in(0);
  for (int i = 1; i < n.inputCount(); ++i) result = n.b.binary(op, result, n.in(i));
  return n.result(result);
}

double largestFinite(ElementType type) {
  switch (type) {
    case ElementType::F8E4M3FN:
      return 448;
    case ElementType::F8E5M2:
      return 57344;
    default:
      return std::numeric_limits<double>::infinity();
  }
}

// ONNX's Cast: conversion to an 8-bit float saturates unless told otherwise.
Value cast(GraphBuilder& b, Value x, ElementType to, bool saturate) {
  const double limit = largestFinite(to);
  if (std::isfinite(limit) && saturate && typeOf(x) != to) {
    if (!isFloat(x)) x = b.convert(x, ElementType::F32);
    if (largestFinite(typeOf(x)) > limit) x = b.clamp(x, -limit, limit);
  }
  return b.convert(x, to);
}

}  // namespace

//-- Signs and rounding

Status importAbs(OpContext& n) {
  const Value x = n.in(0);
  return n.result(isUnsigned(x) ? x : n.b.abs(x));
}

Status importSign(OpContext& n) {
  const Value x = n.in(0);
  return n.result(isUnsigned(x) ? n.b.min(x, 1) : n.b.unary("sign", x));
}

Status importReciprocal(OpContext& n) { return n.result(n.b.div(n.b.like(n.in(0), 1), n.in(0))); }

//-- Trigonometry

Status importAsin(OpContext& n) {
  const Value x = n.in(0), one = n.b.like(x, 1);
  return n.result(n.b.binary("atan2", x, n.b.sqrt(n.b.mul(n.b.sub(one, x), n.b.add(one, x)))));
}

Status importAcos(OpContext& n) {
  const Value x = n.in(0), one = n.b.like(x, 1);
  return n.result(n.b.binary("atan2", n.b.sqrt(n.b.mul(n.b.sub(one, x), n.b.add(one, x))), x));
}

Status importAtan(OpContext& n) { return n.result(n.b.binary("atan2", n.in(0), 1)); }

// (e + e / (e + 1)) / 2 with e = e^x - 1: exact near 0.
Status importSinh(OpContext& n) {
  const Value e = n.b.unary("exponential_minus_one", n.in(0));
  return n.result(n.b.mul(n.b.add(e, n.b.div(e, n.b.add(e, 1))), 0.5));
}

Status importCosh(OpContext& n) {
  const Value x = n.in(0);
  return n.result(n.b.mul(n.b.add(n.b.exp(x), n.b.exp(n.b.neg(x))), 0.5));
}

// sign(x) log(1 + |x| + x² / (1 + sqrt(x² + 1))).
Status importAsinh(OpContext& n) {
  const Value x = n.in(0), a = n.b.abs(x), square = n.b.mul(x, x);
  const Value tail = n.b.div(square, n.b.add(n.b.sqrt(n.b.add(square, 1)), 1));
  return n.result(n.b.mul(n.b.unary("sign", x), n.b.unary("log_plus_one", n.b.add(a, tail))));
}

// log(x + sqrt((x - 1)(x + 1))).
Status importAcosh(OpContext& n) {
  const Value x = n.in(0);
  return n.result(n.b.log(n.b.add(x, n.b.sqrt(n.b.mul(n.b.sub(x, 1), n.b.add(x, 1))))));
}

Status importAtanh(OpContext& n) {
  const Value x = n.in(0);
  const Value difference = n.b.sub(n.b.unary("log_plus_one", x), n.b.unary("log_plus_one", n.b.neg(x)));
  return n.result(n.b.mul(difference, 0.5));
}

//-- Activations

Status importRelu(OpContext& n) { return n.result(n.b.max(n.in(0), 0)); }

Status importLeakyRelu(OpContext& n) {
  const Value x = n.in(0);
  return n.result(n.b.select(n.b.compare(LT, x, 0), n.b.mul(x, n.getFloat("alpha", 0.01)), x));
}

Status importPRelu(OpContext& n) {
  const Value x = n.in(0);
  return n.result(n.b.select(n.b.compare(LT, x, 0), n.b.mul(x, n.in(1)), x));
}

Status importElu(OpContext& n) {
  const Value x = n.in(0), below = n.b.unary("exponential_minus_one", n.b.min(x, 0));
  return n.result(n.b.select(n.b.compare(LT, x, 0), n.b.mul(below, n.getFloat("alpha", 1)), x));
}

Status importCelu(OpContext& n) {
  const double alpha = n.getFloat("alpha", 1);
  const Value x = n.in(0), below = n.b.unary("exponential_minus_one", n.b.div(n.b.min(x, 0), alpha));
  return n.result(n.b.add(n.b.max(x, 0), n.b.mul(below, alpha)));
}

Status importSelu(OpContext& n) {
  const double alpha = n.getFloat("alpha", 1.67326319217681884765625f);
  const double gamma = n.getFloat("gamma", 1.05070102214813232421875f);
  const Value x = n.in(0), below = n.b.mul(n.b.unary("exponential_minus_one", n.b.min(x, 0)), alpha);
  return n.result(n.b.mul(n.b.select(n.b.compare(GT, x, 0), x, below), gamma));
}

Status importThresholdedRelu(OpContext& n) {
  const Value x = n.in(0);
  return n.result(n.b.select(n.b.compare(GT, x, n.getFloat("alpha", 1)), x, 0));
}

Status importHardSigmoid(OpContext& n) {
  const double alpha = n.getFloat("alpha", 0.2f), beta = n.getFloat("beta", 0.5f);
  return n.result(n.b.clamp(n.b.add(n.b.mul(n.in(0), alpha), beta), 0, 1));
}

Status importHardSwish(OpContext& n) {
  const Value x = n.in(0);
  return n.result(n.b.mul(x, n.b.clamp(n.b.add(n.b.mul(x, 1.0 / 6), 0.5), 0, 1)));
}

// max(x, 0) + log(1 + e^-|x|): never overflows.
static Value softplus(GraphBuilder& b, Value x) {
  return b.add(b.max(x, 0), b.unary("log_plus_one", b.exp(b.neg(b.abs(x)))));
}

Status importSoftplus(OpContext& n) { return n.result(softplus(n.b, n.in(0))); }

Status importMish(OpContext& n) {
  return n.result(n.b.mul(n.in(0), n.b.unary("tanh", softplus(n.b, n.in(0)))));
}

Status importSoftsign(OpContext& n) { return n.result(n.b.div(n.in(0), n.b.add(n.b.abs(n.in(0)), 1))); }

Status importGelu(OpContext& n) {
  const std::string approximate = n.getString("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return n.decline("approximation '{}' is not known", approximate);
  return n.result(gelu(n.b, n.in(0), approximate == "tanh"));
}

Status importSwish(OpContext& n) { return n.result(swish(n.b, n.in(0), n.getFloat("alpha", 1))); }

Status importSwiGlu(OpContext& n) {
  return n.result(n.b.mul(swish(n.b, n.in(0), n.getFloat("alpha", 1)), n.in(1)));
}

Status importShrink(OpContext& n) {
  const double lambda = n.getFloat("lambd", 0.5), bias = n.getFloat("bias", 0);
  const Value x = n.in(0), real = isFloat(x) ? x : n.b.convert(x, ElementType::F32);
  const Value low = n.b.compare(LT, real, -lambda), high = n.b.compare(GT, real, lambda);
  const Value y = n.b.select(low, n.b.add(real, bias), n.b.select(high, n.b.sub(real, bias), 0));
  return n.result(n.b.convert(y, typeOf(x)));
}

Status importClip(OpContext& n) {
  Value x = n.in(0);
  const bool attributes = n.opset < 11;
  if (attributes ? n.hasAttribute("min") : n.has(1)) {
    x = n.b.max(x, attributes ? n.b.like(x, n.getFloat("min")) : n.in(1));
  }
  if (attributes ? n.hasAttribute("max") : n.has(2)) {
    x = n.b.min(x, attributes ? n.b.like(x, n.getFloat("max")) : n.in(2));
  }
  return n.result(x);
}

//-- Arithmetic with rules of its own

Status importPow(OpContext& n) {
  const Value base = n.in(0), exponent = n.in(1);
  const auto known = n.b.known(exponent);
  if (isFloat(base) && known && known->count() == 1 && known->rank() <= rankOf(base)) {
    if (known->getDouble(0) == 1) return n.result(base);
    if (known->getDouble(0) == 2) return n.result(n.b.mul(base, base));
  }
  if (isFloat(base) || !isFloat(exponent)) {
    return n.result(n.b.binary("power", base, n.b.convert(exponent, typeOf(base))));
  }
  // An integer to a real power is computed as reals and truncated.
  const Value real =
      n.b.binary("power", n.b.convert(base, ElementType::F64), n.b.convert(exponent, ElementType::F64));
  return n.result(n.b.convert(real, typeOf(base)));
}

// The remainder with the sign of the divisor, or with fmod that of the dividend.
Status importMod(OpContext& n) {
  const Value a = n.in(0), divisor = n.in(1), rest = n.b.binary("remainder", a, divisor);
  if (n.getInt("fmod") || isUnsigned(a)) return n.result(rest);
  const Value zero = n.b.like(rest, 0);
  const Value crosses = n.b.binary("xor", n.b.compare(LT, rest, zero), n.b.compare(LT, divisor, 0));
  const Value wrong = n.b.binary("and", n.b.compare(NE, rest, zero), crosses);
  return n.result(n.b.select(wrong, n.b.add(rest, divisor), rest));
}

Status importBitShift(OpContext& n) {
  const std::string direction = n.getString("direction");
  if (direction != "LEFT" && direction != "RIGHT")
    return invalidArgument("direction '{}' is not known", direction);
  const bool is_signed = info(typeOf(n.in(0))).kind == ElementKind::Signed;
  const llvm::StringRef right = is_signed ? "shift_right_arithmetic" : "shift_right_logical";
  return n.result(n.b.binary(direction == "LEFT" ? "shift_left" : right, n.in(0), n.in(1)));
}

Status importMax(OpContext& n) { return foldVariadic(n, "maximum"); }
Status importMin(OpContext& n) { return foldVariadic(n, "minimum"); }
Status importSum(OpContext& n) { return foldVariadic(n, "add"); }

Status importMean(OpContext& n) {
  Value total = n.in(0);
  for (int i = 1; i < n.inputCount(); ++i) total = n.b.add(total, n.in(i));
  return n.result(n.b.div(total, n.inputCount()));
}

//-- Comparisons and choice

Status importEqual(OpContext& n) { return n.result(n.b.compare(EQ, n.in(0), n.in(1))); }
Status importGreater(OpContext& n) { return n.result(n.b.compare(GT, n.in(0), n.in(1))); }
Status importGreaterOrEqual(OpContext& n) { return n.result(n.b.compare(GE, n.in(0), n.in(1))); }
Status importLess(OpContext& n) { return n.result(n.b.compare(LT, n.in(0), n.in(1))); }
Status importLessOrEqual(OpContext& n) { return n.result(n.b.compare(LE, n.in(0), n.in(1))); }
Status importIsNan(OpContext& n) { return n.result(n.b.isNan(n.in(0))); }

Status importIsInf(OpContext& n) {
  const Value x = n.in(0);
  const double infinity = std::numeric_limits<double>::infinity();
  const bool high = n.getInt("detect_positive", 1), low = n.getInt("detect_negative", 1);
  const Value never = n.b.full(ElementType::I1, shapeOf(x), 0);
  return n.result(n.b.binary("or", high ? n.b.compare(EQ, x, infinity) : never,
                             low ? n.b.compare(EQ, x, -infinity) : never));
}

Status importWhere(OpContext& n) { return n.result(n.b.select(n.in(0), n.in(1), n.in(2))); }

//-- Types

Status importCast(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const ElementType to, elementTypeOf(static_cast<int>(n.getInt("to"))));
  return n.result(cast(n.b, n.in(0), to, n.getInt("saturate", 1) != 0));
}

Status importCastLike(OpContext& n) {
  return n.result(cast(n.b, n.in(0), typeOf(n.in(1)), n.getInt("saturate", 1) != 0));
}

Status importBitCast(OpContext& n) {
  TET_ASSIGN_OR_RETURN(const ElementType to, elementTypeOf(static_cast<int>(n.getInt("to"))));
  const Value x = n.in(0);
  // A truth value is a byte, 0 or 1.
  if (typeOf(x) == ElementType::I1 && byteSize(to) == 1 && info(to).bits == 8)
    return n.result(n.b.bitcast(n.b.convert(x, ElementType::U8), to));
  if (info(typeOf(x)).bits != info(to).bits) {
    return invalidArgument("{} and {} differ in size", info(typeOf(x)).name, info(to).name);
  }
  return n.result(n.b.bitcast(x, to));
}

Status importIdentity(OpContext& n) { return n.result(n.in(0)); }

Status importDropout(OpContext& n) {
  if (n.opset >= 12 && n.has(2)) {
    TET_ASSIGN_OR_RETURN(const Tensor training, n.constant(2, "whether this is training"));
    bool drops = training.count() == 1 && training.getInt(0) != 0;
    if (drops && n.has(1)) {
      TET_ASSIGN_OR_RETURN(const Tensor ratio, n.constant(1, "the ratio"));
      drops = ratio.count() != 1 || ratio.getDouble(0) != 0;
    }
    if (drops) return n.decline("training mode draws random numbers");
  }
  const ElementType mask = n.opset >= 10 ? ElementType::I1 : typeOf(n.in(0));
  return n.results({n.in(0), n.wants(1) ? n.b.full(mask, shapeOf(n.in(0)), 1) : Value()});
}

}  // namespace tetrarch::onnx
