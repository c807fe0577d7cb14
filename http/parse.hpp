// The text forms of a request: its path, its query and its secret.
//
// Everything here takes what strangers send and never throws on it, except
// where the comment names the refusal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::http {

/// Undoes %XX, and `+` for a space where asked. nullopt for a `%` that two hex
/// digits do not follow.
std::optional<std::string> percent_decode(std::string_view text,
                                          bool plus_is_space = false);

/// A path cut at its slashes, not decoded. Routes have at most 6 segments, so
/// what has more than 8 is no route and is not cut any further.
struct path_segments {
  static constexpr std::size_t limit = 8;
  std::array<std::string_view, limit> items;
  std::size_t count = 0; // 0: does not begin with a slash, or too many
};
path_segments split_path(std::string_view path) noexcept;

/// The parameters of a query. The first of two with one name counts; names that
/// nobody asks for are ignored.
class query_params {
public:
  /// Throws refused bad_request where the query is not well-formed or not
  /// UTF-8 without NUL.
  explicit query_params(std::string_view query);

  /// nullopt: not there.
  std::optional<std::string_view> get(std::string_view name) const noexcept;

  /// As `get`, empty where it is not there.
  std::string text(std::string_view name) const;

  /// The `limit` of a list: 1-200, or 0 where it is not there. Throws refused
  /// bad_request.
  std::uint32_t limit() const;

private:
  std::vector<std::pair<std::string, std::string>> items_;
};

/// The secret in `Authorization: Bearer KEY` or `X-API-Key: KEY`; empty where
/// neither is there.
std::string_view secret_of(std::string_view authorization,
                           std::string_view api_key) noexcept;

/// True for a request id that may be echoed: 1-128 visible ASCII characters.
bool is_sane_request_id(std::string_view text) noexcept;

/// True for `application/json`, with or without parameters.
bool is_json_type(std::string_view content_type) noexcept;

} // namespace greenroom::http
