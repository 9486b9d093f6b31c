// What nearly every file includes, compiled once: see PrecompiledHeaders.cmake. Only headers of other
// projects, ours change too often; and none that defines objects, which would be compiled into every file
// again (CLI11 does).
#pragma once

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#if __has_include(<gtest/gtest.h>)
#define GTEST_HAS_PTHREAD 1  // as its CMake target has it
#include <gtest/gtest.h>
#endif
