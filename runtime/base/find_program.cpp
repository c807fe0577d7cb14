#include "runtime/base/find_program.hpp"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace greenroom {

std::filesystem::path find_program(const std::string& name) {
  const auto* path = std::getenv("PATH");
  std::istringstream places{path != nullptr ? path : "/usr/bin:/bin"};
  for (std::string place; std::getline(places, place, ':');) {
    auto candidate = std::filesystem::path{place} / name;
    if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return {};
}

} // namespace greenroom
