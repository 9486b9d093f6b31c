// Formulas as text, for tables of what to recognise: "0.5 * x * (1 + erf(0.7071 * x))".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tetrarch::compile {

// A sum or a product has any number of operands in any order, and all of its numbers are one: so one formula
// stands for every way of writing it down.
struct Formula {
  enum class Kind { Name, Call, Sum, Product };
  Kind kind = Kind::Name;
  std::string name;              // Name, Call
  double number = 0;             // Sum: what is added; Product: the factor
  bool any_number = false;       // "?" stood for the number
  std::vector<Formula> parts;    // Call: the argument; Sum: terms; Product: factors
  std::vector<Formula> inverse;  // Sum: what is subtracted; Product: divisors
};

// The grammar: sum = product {("+" | "-") product}; product = factor {("*" | "/") factor};
// factor = number | "?" | name | name "(" sum ")" | "(" sum ")". Formulas are part of the program: one that
// is none is an assertion.
Formula parseFormula(std::string_view text);

}  // namespace tetrarch::compile
