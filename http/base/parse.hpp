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

/// Equal but for the case of ASCII letters.
bool is_same_word(std::string_view a, std::string_view b) noexcept;

/// Without the spaces and tabs around it.
std::string_view trimmed(std::string_view text) noexcept;

/// A number of decimal digits and nothing else.
std::optional<std::uint64_t> parse_count(std::string_view text) noexcept;

/// The value of a hex digit; -1 for what is none.
int hex_value(char c) noexcept;

/// Undoes %XX, and `+` for a space where asked. nullopt for a `%` that two hex
/// digits do not follow.
std::optional<std::string> percent_decode(std::string_view text,
                                          bool plus_is_space = false);

/// A path cut at its slashes, not decoded. Routes have at most 7 segments, so
/// what has more than 8 is no route and is not cut any further.
struct path_segments {
  static constexpr std::size_t limit = 8;
  std::array<std::string_view, limit> items;
  std::size_t count = 0; // 0: does not begin with a slash, or too many
};
path_segments split_path(std::string_view path) noexcept;

/// The parameters of a query. The first of two with one name counts.
class query_params {
public:
  /// Throws refused bad_request where the query is not well-formed or not
  /// UTF-8 without NUL.
  explicit query_params(std::string_view query);

  /// nullopt: not there.
  std::optional<std::string_view> get(std::string_view name) const noexcept;

  /// As `get`, empty where it is not there.
  std::string text(std::string_view name) const;

  /// The first name that is not in `known`, a list with commas between.
  std::optional<std::string> stranger(std::string_view known) const;

  /// True for `1` and `true`, false for `0`, `false` and where it is not there.
  /// Throws refused bad_request.
  bool flag(std::string_view name) const;

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

/// The cookie by which the web console is logged in, and its value in a Cookie
/// header; empty where it is not there.
inline constexpr std::string_view login_cookie = "greenroom-login";
std::string_view login_of(std::string_view cookies) noexcept;

/// The secret that a browser's WebSocket sends as a subprotocol,
/// `bearer.KEY`; empty where there is none. `offers` is true for a subprotocol
/// in such a list.
std::string_view secret_of_protocols(std::string_view list) noexcept;
bool offers(std::string_view list, std::string_view name) noexcept;

/// True where both are the same scheme, host and port.
bool is_same_origin(std::string_view a, std::string_view b) noexcept;

/// Bytes of a body, from `begin` up to but without `end`.
struct byte_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// What a Range header asks for of `total` bytes. nullopt: it is to be ignored
/// (several ranges, another unit, no header); empty: it cannot be satisfied.
std::optional<byte_range> parse_range(std::string_view text,
                                      std::uint64_t total) noexcept;

/// True for 1 to `max` visible ASCII characters.
bool is_visible_ascii(std::string_view text, std::size_t max) noexcept;

/// True for a request id that may be echoed: 1-128 visible ASCII characters.
bool is_sane_request_id(std::string_view text) noexcept;

/// True for `application/json`, with or without parameters.
bool is_json_type(std::string_view content_type) noexcept;

} // namespace greenroom::http
