// A connection that the API's front end hands to somebody else, since what it
// begins with is not the API's.
#pragma once

#include "runtime/base/fd.hpp"

#include <functional>
#include <memory>
#include <string>

namespace greenroom::http {

struct handed_connection {
  unique_fd socket;
  std::string first;                     // what has been read of it
  std::shared_ptr<void> place = nullptr; // of its address, given back with this
  bool of_peer = false;                  // another node has made it
};

using connection_taker = std::function<void(handed_connection)>;

} // namespace greenroom::http
