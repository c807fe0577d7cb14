#include "runtime/config/value_types.hpp"

#include "runtime/base/ip_networks.hpp"

#include "runtime/base/sizes.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace greenroom::kinds {

namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9');
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_variable_name(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9')
         && std::ranges::all_of(
           text, [](char c) { return is_letter_or_digit(c) || c == '_'; });
}

// "host:port" taken apart, with a host that can be one.
std::optional<endpoint> parse_endpoint(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return std::nullopt;
  endpoint result;
  auto digits = text.substr(colon + 1);
  auto [end, error] =
    std::from_chars(digits.begin(), digits.end(), result.port);
  if (error != std::errc{} || end != digits.end())
    return std::nullopt;
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!std::ranges::all_of(host, [](char c) {
          return is_letter_or_digit(c) || c == ':' || c == '.' || c == '%';
        }))
      return std::nullopt;
    if (host.find(':') == std::string_view::npos)
      return std::nullopt;
  } else if (!is_domain(host)) {
    return std::nullopt;
  }
  result.host = host;
  return result;
}

bool has_credentials(std::string_view scheme, std::string_view rest) {
  auto authority = rest.substr(0, rest.find_first_of("/?#"));
  auto at = authority.rfind('@');
  if (at == std::string_view::npos)
    return false;
  // A user's name alone is no secret for ssh, but is a token for HTTP.
  return scheme.starts_with("http")
         || authority.substr(0, at).find(':') != std::string_view::npos;
}

} // namespace

// -- numbers ------------------------------------------------------------------

std::string whole::expects() const {
  return "a whole number from " + std::to_string(least) + " to "
         + std::to_string(most);
}

std::optional<std::uint32_t> whole::read(const json& value) const {
  if (!value.is_number_unsigned())
    return std::nullopt;
  auto number = value.get<std::uint64_t>();
  if (number < least || number > most)
    return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

ordered_json whole::write(std::uint32_t value) const {
  return value;
}

std::string whole_or_null::expects() const {
  return whole::expects() + ", or null";
}

std::optional<std::uint32_t> whole_or_null::read(const json& value) const {
  return value.is_null() ? 0 : whole::read(value);
}

ordered_json whole_or_null::write(std::uint32_t value) const {
  return value == 0 ? ordered_json{} : whole::write(value);
}

std::string flag::expects() const {
  return "true or false";
}

std::optional<bool> flag::read(const json& value) const {
  if (!value.is_boolean())
    return std::nullopt;
  return value.get<bool>();
}

ordered_json flag::write(bool value) const {
  return value;
}

std::string duration::expects() const {
  return "a duration such as 90s, 1h30m or 7d, from " + format_duration(least)
         + " to " + format_duration(most);
}

std::optional<millis> duration::read(const json& value) const {
  if (!value.is_string())
    return std::nullopt;
  auto length = parse_duration(value.get_ref<const std::string&>());
  if (!length || *length < least || *length > most)
    return std::nullopt;
  return length;
}

ordered_json duration::write(millis value) const {
  return format_duration(value);
}

std::string duration_or_null::expects() const {
  return duration::expects() + ", or null";
}

std::optional<millis> duration_or_null::read(const json& value) const {
  return value.is_null() ? std::optional<millis>{0} : duration::read(value);
}

ordered_json duration_or_null::write(millis value) const {
  return value == 0 ? ordered_json{} : duration::write(value);
}

std::string size::expects() const {
  return "a size such as 512KiB, 1MiB or 2GiB, at least " + format_size(least);
}

std::optional<std::uint64_t> size::read(const json& value) const {
  std::optional<std::uint64_t> bytes;
  if (value.is_string())
    bytes = parse_size(value.get_ref<const std::string&>());
  else if (value.is_number_unsigned())
    bytes = parse_size(value.dump());
  if (!bytes || *bytes < least)
    return std::nullopt;
  return bytes;
}

ordered_json size::write(std::uint64_t value) const {
  return format_size(value);
}

// -- texts --------------------------------------------------------------------

std::string text::expects() const {
  return what;
}

std::optional<std::string> text::read(const json& value) const {
  if (!value.is_string() || !accepts(value.get_ref<const std::string&>()))
    return std::nullopt;
  return value.get<std::string>();
}

ordered_json text::write(const std::string& value) const {
  return value;
}

std::string text_or_null::expects() const {
  return what + ", or null";
}

std::optional<std::string> text_or_null::read(const json& value) const {
  return value.is_null() ? std::string{} : text::read(value);
}

ordered_json text_or_null::write(const std::string& value) const {
  return value.empty() ? ordered_json() : ordered_json(value);
}

std::string text_list::expects() const {
  return std::string{least > 0 ? "a list, not empty, of " : "a list of "}
         + what;
}

std::optional<std::vector<std::string>>
text_list::read(const json& value) const {
  if (!value.is_array() || value.size() < least)
    return std::nullopt;
  std::vector<std::string> result;
  for (const auto& item : value) {
    if (!item.is_string() || !accepts(item.get_ref<const std::string&>()))
      return std::nullopt;
    result.push_back(item.get<std::string>());
  }
  return result;
}

ordered_json text_list::write(const std::vector<std::string>& value) const {
  return value;
}

std::string marked_list::expects() const {
  return text_list::expects() + ", or null";
}

std::optional<std::vector<std::string>>
marked_list::read(const json& value) const {
  return value.is_null() ? std::vector<std::string>{mark}
                         : text_list::read(value);
}

ordered_json marked_list::write(const std::vector<std::string>& value) const {
  return value == std::vector<std::string>{mark} ? ordered_json()
                                                 : text_list::write(value);
}

namespace {

// An object of texts whose names pass a test.
std::optional<string_map> read_texts(const json& value,
                                     bool (*accepts)(std::string_view)) {
  if (!value.is_object())
    return std::nullopt;
  string_map result;
  for (const auto& [name, item] : value.items()) {
    if (!accepts(name) || !item.is_string())
      return std::nullopt;
    auto content = item.get<std::string>();
    if (content.find('\0') != std::string::npos)
      return std::nullopt;
    result.emplace(name, std::move(content));
  }
  return result;
}

ordered_json write_texts(const string_map& value) {
  auto result = ordered_json::object();
  for (const auto& [name, content] : value)
    result[name] = content;
  return result;
}

} // namespace

std::string environment::expects() const {
  return "an object of environment variables, names of letters, digits and _ "
         "with text values";
}

std::optional<string_map> environment::read(const json& value) const {
  return read_texts(value, is_variable_name);
}

ordered_json environment::write(const string_map& value) const {
  return write_texts(value);
}

std::string labels::expects() const {
  return "an object of names with text values, such as {\"zone\": \"a\"}";
}

std::optional<string_map> labels::read(const json& value) const {
  return read_texts(value, is_plain);
}

ordered_json labels::write(const string_map& value) const {
  return write_texts(value);
}

// -- the network --------------------------------------------------------------

std::string listen_address::expects() const {
  return "host:port, such as 127.0.0.1:8080 or [::1]:8080, with port 0 for "
         "any free one";
}

std::optional<endpoint> listen_address::read(const json& value) const {
  if (!value.is_string())
    return std::nullopt;
  return parse_endpoint(value.get_ref<const std::string&>());
}

ordered_json listen_address::write(const endpoint& value) const {
  return to_string(value);
}

std::string tls::expects() const {
  return mutual ? R"({"cert": PATH, "key": PATH, "ca": PATH})"
                : R"({"cert": PATH, "key": PATH})";
}

std::optional<tls_files> tls::read(const json& value) const {
  if (!value.is_object() || value.size() != (mutual ? 3U : 2U))
    return std::nullopt;
  tls_files result;
  for (const auto& [name, item] : value.items()) {
    if (!item.is_string() || !is_plain(item.get_ref<const std::string&>()))
      return std::nullopt;
    if (name == "cert")
      result.cert = item.get<std::string>();
    else if (name == "key")
      result.key = item.get<std::string>();
    else if (name == "ca" && mutual)
      result.ca = item.get<std::string>();
    else
      return std::nullopt;
  }
  return result;
}

ordered_json tls::write(const tls_files& value) const {
  ordered_json result{{"cert", value.cert}, {"key", value.key}};
  if (mutual)
    result["ca"] = value.ca;
  return result;
}

namespace {

using credential_field = std::pair<const char*, std::string git_credential::*>;

constexpr std::array<credential_field, 5> credential_fields{{
  {"url_prefix", &git_credential::url_prefix},
  {"username", &git_credential::username},
  {"password_env", &git_credential::password_env},
  {"password_file", &git_credential::password_file},
  {"ssh_key_file", &git_credential::ssh_key_file},
}};

// Exactly what one way of being let in needs.
bool is_complete(const git_credential& what) {
  if (what.url_prefix.starts_with("ssh://"))
    return !what.ssh_key_file.empty() && what.username.empty()
           && what.password_env.empty() && what.password_file.empty();
  return (what.url_prefix.starts_with("http://")
          || what.url_prefix.starts_with("https://"))
         && what.url_prefix.find('@') == std::string::npos
         && what.ssh_key_file.empty() && !what.username.empty()
         && what.password_env.empty() != what.password_file.empty();
}

std::optional<git_credential> read_credential(const json& value) {
  if (!value.is_object())
    return std::nullopt;
  git_credential result;
  for (const auto& [name, item] : value.items()) {
    const auto* field =
      std::ranges::find(credential_fields, name, &credential_field::first);
    if (field == credential_fields.end() || !item.is_string()
        || !is_plain(item.get_ref<const std::string&>()))
      return std::nullopt;
    result.*(field->second) = item.get<std::string>();
  }
  if (!is_complete(result))
    return std::nullopt;
  return result;
}

} // namespace

std::string credential_list::expects() const {
  return R"(a list of {"url_prefix": "https://…", "username": NAME, )"
         R"("password_env": VARIABLE} (or "password_file": PATH) and )"
         R"({"url_prefix": "ssh://…", "ssh_key_file": PATH})";
}

std::optional<std::vector<git_credential>>
credential_list::read(const json& value) const {
  if (!value.is_array())
    return std::nullopt;
  std::vector<git_credential> result;
  for (const auto& item : value) {
    auto one = read_credential(item);
    if (!one)
      return std::nullopt;
    result.push_back(std::move(*one));
  }
  return result;
}

ordered_json
credential_list::write(const std::vector<git_credential>& value) const {
  auto result = ordered_json::array();
  for (const auto& one : value) {
    auto object = ordered_json::object();
    for (const auto& [name, field] : credential_fields)
      if (!(one.*field).empty())
        object[name] = one.*field;
    result.push_back(std::move(object));
  }
  return result;
}

// -- tests for texts ----------------------------------------------------------

bool is_plain(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, is_control);
}

bool is_script(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos;
}

bool is_node_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text[0] != '.' && text[0] != '-'
         && std::ranges::all_of(text, [](char c) {
              return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
            });
}

bool is_domain(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text[0] != '.' && text[0] != '-'
         && std::ranges::all_of(text, [](char c) {
              return is_letter_or_digit(c) || c == '.' || c == '-';
            });
}

bool is_host_pattern(std::string_view text) {
  if (text == "*" || (text.starts_with("*.") && is_domain(text.substr(2))))
    return true;
  // An IPv6 address has no brackets here, for there is no port.
  return is_domain(text)
         || (text.find(':') != std::string_view::npos
             && parse_endpoint('[' + std::string{text} + "]:1").has_value());
}

bool is_base_url(std::string_view text) {
  if (text.starts_with("http://"))
    text.remove_prefix(7);
  else if (text.starts_with("https://"))
    text.remove_prefix(8);
  else
    return false;
  return is_domain(text) || parse_endpoint(text).has_value();
}

bool is_proxy_url(std::string_view text) {
  for (std::string_view scheme : {"socks5://", "socks5h://"})
    if (text.starts_with(scheme))
      return is_base_url("http://" + std::string{text.substr(scheme.size())});
  return is_base_url(text);
}

bool is_address(std::string_view text) {
  auto where = parse_endpoint(text);
  return where && where->port != 0;
}

bool is_network(std::string_view text) {
  return parse_network(text).has_value();
}

bool is_store_url(std::string_view text) {
  constexpr std::string_view embedded = "sqlite3://";
  constexpr std::string_view server = "postgresql://";
  return is_plain(text)
         && ((text.starts_with(embedded) && text.size() > embedded.size())
             || (text.starts_with(server) && text.size() > server.size()));
}

bool is_absolute_path(std::string_view text) {
  return is_plain(text) && text[0] == '/';
}

bool is_branch_name(std::string_view text) {
  // As git check-ref-format has it; a leading `-` would read as an option.
  if (!is_plain(text) || text.size() > 255 || text[0] == '-' || text[0] == '/'
      || text == "@" || text.ends_with('/') || text.ends_with('.')
      || text.find_first_of(" ~^:?*[\\") != std::string_view::npos)
    return false;
  for (std::string_view bad : {"..", "//", "@{", "/.", ".lock/"})
    if (text.find(bad) != std::string_view::npos)
      return false;
  return text[0] != '.' && !text.ends_with(".lock");
}

bool is_repository(std::string_view text) {
  if (!is_plain(text) || text[0] == '-')
    return false;
  auto scheme_size = text.find("://");
  if (scheme_size == std::string_view::npos)
    // `ext::sh -c …` would have git run a program of the user's choice.
    return text.find("::") == std::string_view::npos;
  auto scheme = text.substr(0, scheme_size);
  return std::ranges::all_of(scheme, is_letter_or_digit) && !scheme.empty()
         && !has_credentials(scheme, text.substr(scheme_size + 3));
}

} // namespace greenroom::kinds
