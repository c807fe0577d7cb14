// How hard the soak tests try: a little in `./dev test`, for long in
// `./dev soak`.
#pragma once

#include <cstdlib>

namespace greenroom::test {

inline bool for_long() {
  return std::getenv("GREENROOM_SOAK") != nullptr;
}

template <class Number>
Number how_many(Number few, Number many) {
  return for_long() ? many : few;
}

} // namespace greenroom::test
