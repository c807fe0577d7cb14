#include "http/client/errors.hpp"

namespace greenroom::http::client {

int api_error::exit_code() const noexcept {
  switch (status_) {
    case 401:
    case 403:
      return exit_code::not_allowed;
    case 404:
      return exit_code::not_found;
    case 409:
      return exit_code::conflict;
    case 429:
    case 502:
    case 503:
      return exit_code::unavailable;
    case 504:
      return exit_code::timed_out;
    default:
      return exit_code::failed;
  }
}

} // namespace greenroom::http::client
