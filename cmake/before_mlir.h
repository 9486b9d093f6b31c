// Included ahead of every file that includes MLIR, when clang builds against libstdc++ 12 in C++23.
//
// There std::vector's destructor is constexpr, so clang instantiates it where MLIR 22's headers, written for
// C++17, still have its element type incomplete ("field has incomplete type 'mlir::Attribute'"). What needs
// the complete type is only an argument-dependent lookup below std::_Destroy; this overload is preferred and
// does the same without one.
#pragma once

#include <bits/alloc_traits.h>

namespace std {
template <typename T>
constexpr void _Destroy(T* first, T* last, allocator<T>&) {
  for (; first != last; ++first) first->~T();
}
}  // namespace std
