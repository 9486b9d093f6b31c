#include "tetrarch/compile/rewrite/formula.h"

#include <cassert>
#include <cctype>
#include <charconv>
#include <utility>

namespace tetrarch::compile {
namespace {

using Kind = Formula::Kind;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Formula all() {
    Formula formula = sum();
    assert(peek() == '\0' && "text after a formula");
    return formula;
  }

 private:
  Formula sum() { return chain(Kind::Sum, '+', '-'); }
  Formula product() { return chain(Kind::Product, '*', '/'); }

  // Operands between two operators; one operand alone is itself.
  Formula chain(Kind kind, char forward, char backward) {
    Formula result{.kind = kind, .number = kind == Kind::Sum ? 0.0 : 1.0};
    char op = forward;
    do {
      add(result, kind == Kind::Sum ? product() : factor(), op == backward);
      op = peek();
    } while ((op == forward || op == backward) && take());
    const bool alone = result.parts.size() == 1 && result.inverse.empty() && !hasNumber(result);
    return alone ? Formula(result.parts.front()) : result;
  }

  static bool hasNumber(const Formula& f) {
    return f.any_number || f.number != (f.kind == Kind::Sum ? 0 : 1);
  }

  // A number is a product without factors.
  static void add(Formula& to, Formula operand, bool backward) {
    const bool is_number = operand.kind == Kind::Product && operand.parts.empty() && operand.inverse.empty();
    if (!is_number) {
      (backward ? to.inverse : to.parts).push_back(std::move(operand));
      return;
    }
    to.any_number |= operand.any_number;
    if (to.kind == Kind::Sum) to.number += backward ? -operand.number : operand.number;
    if (to.kind == Kind::Product) to.number *= backward ? 1 / operand.number : operand.number;
  }

  Formula factor() {
    const char next = peek();
    if (next == '?') return take(), Formula{.kind = Kind::Product, .number = 1, .any_number = true};
    if (std::isdigit(next)) return number();
    if (next != '(') return nameOrCall();
    return parenthesised();
  }

  Formula parenthesised() {
    take();
    Formula inner = sum();
    assert(peek() == ')' && "a parenthesis is open");
    take();
    return inner;
  }

  Formula number() {
    Formula result{.kind = Kind::Product};
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), result.number);
    assert(error == std::errc());
    text_.remove_prefix(end - text_.data());
    return result;
  }

  Formula nameOrCall() {
    size_t length = 0;
    while (length < text_.size() && (std::isalpha(text_[length]) || text_[length] == '_')) ++length;
    assert(length > 0 && "no formula");
    Formula result{.name = std::string(text_.substr(0, length))};
    text_.remove_prefix(length);
    if (peek() != '(') return result;
    result.kind = Kind::Call;
    result.parts.push_back(parenthesised());
    return result;
  }

  // The next character behind blanks; 0 at the end.
  char peek() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
    return text_.empty() ? '\0' : text_.front();
  }
  bool take() {
    peek();
    text_.remove_prefix(1);
    return true;
  }

  std::string_view text_;
};

}  // namespace

Formula parseFormula(std::string_view text) { return Parser(text).all(); }

}  // namespace tetrarch::compile
