// How long to wait until what an upstream could not take is pushed again.
#pragma once

#include <algorithm>
#include <chrono>

namespace greenroom {

/// `failures`: tries that failed since the upstream was last seen to answer.
/// 2 s where there was none; 5 s after the first, then twice as long each time
/// up to five minutes; all a fifth shorter or longer, by `chance` from 0 to 1,
/// so that the projects of one upstream do not come at once.
constexpr std::chrono::milliseconds rescue_pause(unsigned failures,
                                                 double chance) {
  constexpr std::chrono::milliseconds at_once{2'000};
  constexpr std::chrono::milliseconds first{5'000};
  constexpr std::chrono::milliseconds longest{300'000};
  constexpr unsigned most_doublings = 8;
  if (failures == 0)
    return at_once;
  const auto doubled = first * (1 << std::min(failures - 1, most_doublings));
  const auto whole = std::min<std::chrono::milliseconds>(doubled, longest);
  return std::chrono::duration_cast<std::chrono::milliseconds>(
    whole * (0.8 + 0.4 * chance));
}

} // namespace greenroom
