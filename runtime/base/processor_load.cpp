#include "runtime/base/processor_load.hpp"

#include <stdlib.h>

#include <algorithm>
#include <thread>

namespace greenroom {

double processor_load() noexcept {
  double minute = 0;
  if (::getloadavg(&minute, 1) != 1)
    return 0;
  return minute / std::max(std::thread::hardware_concurrency(), 1U);
}

} // namespace greenroom
