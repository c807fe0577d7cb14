// A request that was refused before all of it was read: no exchange is made of
// it.
#pragma once

#include <string>

namespace greenroom::http {

struct unread_request {
  std::string method; // as sent, as the rest
  std::string target;
  std::string id;
  std::string address;
  int status = 0;
};

} // namespace greenroom::http
