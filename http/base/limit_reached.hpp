// A refusal for a limit of open streams, which its answer names in RateLimit-*.
#pragma once

#include "messages/errors.hpp"

#include <cstddef>
#include <string>

namespace greenroom::http {

class limit_reached : public refused {
public:
  limit_reached(const std::string& message, std::size_t limit)
    : refused(errc::rate_limited, message), limit_(limit) {}

  std::size_t limit() const noexcept {
    return limit_;
  }

private:
  std::size_t limit_;
};

} // namespace greenroom::http
