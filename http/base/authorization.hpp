// What an Authorization header says, by its scheme.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http {

/// What follows `scheme` and its spaces, in whatever case it is written;
/// nullopt: it is another.
std::optional<std::string_view> after_scheme(std::string_view authorization,
                                             std::string_view scheme) noexcept;

struct basic_credentials {
  std::string user;
  std::string password; // empty where there is no colon
};

/// Of `Basic …`; nullopt: it is none.
std::optional<basic_credentials> read_basic(std::string_view authorization);

} // namespace greenroom::http
