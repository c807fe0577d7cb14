// Kinds of configuration values: what each accepts, how it reads and writes.
//
// A kind has `expects()`, what an error says would do; `read`, which gives
// nothing for a value that is not of the kind; and `write`, its inverse.
// `may_quote` is false where a bad value may be a secret.
#pragma once

#include "messages/records.hpp"
#include "runtime/config/config.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace greenroom::kinds {

using nlohmann::json;
using nlohmann::ordered_json;

/// A whole number in a range.
struct whole {
  static constexpr bool may_quote = true;
  std::uint32_t least = 0;
  std::uint32_t most = std::numeric_limits<std::int32_t>::max();

  std::string expects() const;
  std::optional<std::uint32_t> read(const json& value) const;
  ordered_json write(std::uint32_t value) const;
};

/// The same, or null, which is 0 in the program.
struct whole_or_null : whole {
  std::string expects() const;
  std::optional<std::uint32_t> read(const json& value) const;
  ordered_json write(std::uint32_t value) const;
};

struct flag {
  static constexpr bool may_quote = true;
  std::string expects() const;
  std::optional<bool> read(const json& value) const;
  ordered_json write(bool value) const;
};

/// A length of time in a range.
struct duration {
  static constexpr bool may_quote = true;
  millis least = 1;
  millis most = 3650 * one_day;

  std::string expects() const;
  std::optional<millis> read(const json& value) const;
  ordered_json write(millis value) const;
};

/// The same, or null for none, which is 0 in the program.
struct duration_or_null : duration {
  std::string expects() const;
  std::optional<millis> read(const json& value) const;
  ordered_json write(millis value) const;
};

/// A number of bytes.
struct size {
  static constexpr bool may_quote = true;
  std::uint64_t least = 0;

  std::string expects() const;
  std::optional<std::uint64_t> read(const json& value) const;
  ordered_json write(std::uint64_t value) const;
};

/// A text that passes a test.
struct text {
  static constexpr bool may_quote = true;
  std::string what;
  bool (*accepts)(std::string_view);

  std::string expects() const;
  std::optional<std::string> read(const json& value) const;
  ordered_json write(const std::string& value) const;
};

/// The same for values that may hold a secret by mistake.
struct private_text : text {
  static constexpr bool may_quote = false;
};

/// A text, or null for none, which is the empty text in the program.
struct text_or_null : text {
  std::string expects() const;
  std::optional<std::string> read(const json& value) const;
  ordered_json write(const std::string& value) const;
};

/// A list of texts that each pass a test.
struct text_list {
  static constexpr bool may_quote = true;
  std::string what; // in the plural
  bool (*accepts)(std::string_view);
  std::size_t least = 0;

  std::string expects() const;
  std::optional<std::vector<std::string>> read(const json& value) const;
  ordered_json write(const std::vector<std::string>& value) const;
};

/// The same, or null, which is the list of one mark in the program.
struct marked_list : text_list {
  const char* mark = "";

  std::string expects() const;
  std::optional<std::vector<std::string>> read(const json& value) const;
  ordered_json write(const std::vector<std::string>& value) const;
};

/// An object of environment variables.
struct environment {
  static constexpr bool may_quote = false;
  std::string expects() const;
  std::optional<string_map> read(const json& value) const;
  ordered_json write(const string_map& value) const;
};

/// An object of names with texts.
struct labels {
  static constexpr bool may_quote = true;
  std::string expects() const;
  std::optional<string_map> read(const json& value) const;
  ordered_json write(const string_map& value) const;
};

struct listen_address {
  static constexpr bool may_quote = true;
  std::string expects() const;
  std::optional<endpoint> read(const json& value) const;
  ordered_json write(const endpoint& value) const;
};

struct tls {
  static constexpr bool may_quote = true;
  bool mutual = false; // `ca` is needed

  std::string expects() const;
  std::optional<tls_files> read(const json& value) const;
  ordered_json write(const tls_files& value) const;
};

/// Upstreams' credentials. The secrets are elsewhere, but somebody may write
/// one here by mistake.
struct credential_list {
  static constexpr bool may_quote = false;
  std::string expects() const;
  std::optional<std::vector<git_credential>> read(const json& value) const;
  ordered_json write(const std::vector<git_credential>& value) const;
};

/// Another kind, or null for nothing.
template <class Kind>
struct or_null {
  static constexpr bool may_quote = Kind::may_quote;
  Kind kind;

  using value_type =
    typename decltype(std::declval<Kind>().read(json{}))::value_type;

  std::string expects() const {
    return kind.expects() + ", or null";
  }
  std::optional<std::optional<value_type>> read(const json& value) const {
    if (value.is_null())
      return std::optional<value_type>{};
    if (auto parsed = kind.read(value))
      return parsed;
    return std::nullopt;
  }
  ordered_json write(const std::optional<value_type>& value) const {
    return value ? kind.write(*value) : ordered_json{};
  }
};

/// One word of a few.
template <class Enum>
struct one_of {
  static constexpr bool may_quote = true;
  std::vector<std::pair<std::string, Enum>> words;

  std::string expects() const {
    std::string result;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i > 0)
        result += i + 1 < words.size() ? ", " : " or ";
      result += '"' + words[i].first + '"';
    }
    return result;
  }
  std::optional<Enum> read(const json& value) const {
    for (const auto& [word, meaning] : words)
      if (value == word)
        return meaning;
    return std::nullopt;
  }
  ordered_json write(Enum value) const {
    for (const auto& [word, meaning] : words)
      if (meaning == value)
        return word;
    return {};
  }
};

// -- tests for texts ----------------------------------------------------------

/// Neither empty nor with control characters: paths, names, commands' parts.
bool is_plain(std::string_view text);

/// Not empty and without NUL: shell commands.
bool is_script(std::string_view text);

/// Letters, digits, `.`, `_` and `-`, at most 63, not beginning with `.`, `-`.
bool is_node_name(std::string_view text);

bool is_domain(std::string_view text);
bool is_host_pattern(std::string_view text);

/// http:// or https://, a host and perhaps a port, nothing more.
bool is_base_url(std::string_view text);

/// The same of a proxy, which may also be one of SOCKS.
bool is_proxy_url(std::string_view text);

/// HOST:PORT with a port that one can connect to.
bool is_address(std::string_view text);

bool is_store_url(std::string_view text);

/// An address, or a network in CIDR's form.
bool is_network(std::string_view text);

bool is_absolute_path(std::string_view text);

/// What git may call a branch, as far as a name alone can tell.
bool is_branch_name(std::string_view text);

/// A path or URL of a repository, without credentials in it.
bool is_repository(std::string_view text);

} // namespace greenroom::kinds
