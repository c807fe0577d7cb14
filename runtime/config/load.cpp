#include "runtime/base/ascii.hpp"
#include "runtime/base/files.hpp"
#include "runtime/config/config_schema.hpp"
#include "runtime/config/value_types.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace greenroom {

namespace {

using nlohmann::json;

/// Parses `text`, and says which keys stand in one object twice: of those JSON
/// would take the last without a word, and all of a section with it.
json parse_text(const std::string& text, std::string& repeated) {
  struct object {
    std::set<std::string> keys;
    std::string last;
  };
  std::vector<object> open;
  auto note = [&](int, json::parse_event_t event, json& what) {
    if (event == json::parse_event_t::object_start) {
      open.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open.pop_back();
    } else if (event == json::parse_event_t::key) {
      auto& inner = open.back();
      inner.last = what.get<std::string>();
      if (!inner.keys.insert(inner.last).second) {
        repeated += repeated.empty() ? "" : "; ";
        for (auto& outer : open)
          repeated += outer.last + (&outer == &inner ? "" : ".");
        repeated += " stands there twice: leave one, with all that belongs "
                    "to it";
      }
    }
    return true;
  };
  return json::parse(text, note, true, true);
}

json parse_file(const std::filesystem::path& path) {
  std::optional<std::string> text;
  try {
    text = read_file(path);
  } catch (const std::system_error& e) {
    throw config_error(path.string()
                       + ": cannot be read: " + e.code().message());
  }
  if (!text)
    throw config_error(path.string()
                       + ": there is no such file; --config names another");
  std::string repeated;
  json result;
  try {
    result = parse_text(*text, repeated);
  } catch (const json::parse_error& e) {
    // "[json.exception…] parse error at line 3, column 5: what and why"
    std::string_view what = e.what();
    if (auto line = what.find("line "); line != std::string_view::npos)
      what.remove_prefix(line);
    throw config_error(path.string() + ": " + std::string{what});
  }
  if (!repeated.empty())
    throw config_error(path.string() + ": " + repeated);
  return result;
}

// Each key by itself, so that all that are wrong can be told at once.
std::vector<json> single_keys(const json& file) {
  std::vector<json> result;
  for (const auto& [section, value] : file.items()) {
    if (!value.is_object() || value.empty()) {
      result.emplace_back(json::object())[section] = value;
      continue;
    }
    for (const auto& [name, inner] : value.items())
      result.emplace_back(json::object())[section][name] = inner;
  }
  return result;
}

void apply_file(const std::filesystem::path& path, config& c) {
  auto parsed = parse_file(path);
  if (!parsed.is_object())
    throw config_error(path.string()
                       + ": the file must hold one object, such "
                         R"(as {"log": {"level": "info"}})");
  std::string faults;
  for (const auto& one : single_keys(parsed))
    try {
      read_keys(config_keys(), one, c, {});
    } catch (const key_error& e) {
      const std::string fault = e.what();
      if (faults.find(fault) == std::string::npos) // of a section, once
        faults += (faults.empty() ? ": " : "; ") + fault;
    }
  if (!faults.empty())
    throw config_error(path.string() + faults);
}

// Arguments are bytes; what is kept has to be text.
json as_text(const std::string& plain) {
  json result = plain;
  try {
    static_cast<void>(result.dump());
  } catch (const json::type_error&) {
    throw key_error("the value is not UTF-8");
  }
  return result;
}

json nested(std::string_view path, json value) {
  for (;;) {
    auto dot = path.rfind('.');
    auto name = path.substr(dot == std::string_view::npos ? 0 : dot + 1);
    auto outer = json::object();
    outer[std::string{name}] = std::move(value);
    if (dot == std::string_view::npos)
      return outer;
    value = std::move(outer);
    path = path.substr(0, dot);
  }
}

void apply_override(const std::string& text, config& c) {
  auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw config_error("--set " + text
                       + ": must have the form key.path=value, such as "
                         "log.level=debug");
  const auto path = text.substr(0, equals);
  const auto plain = text.substr(equals + 1);
  auto apply = [&](json value) {
    read_keys(config_keys(), nested(path, std::move(value)), c, {});
  };
  auto parsed = json::parse(plain, nullptr, false);
  try {
    if (parsed.is_discarded())
      apply(as_text(plain));
    else
      apply(parsed);
  } catch (const key_error& e) {
    // `node.name=42` is a name, though it is a number too.
    if (!parsed.is_discarded() && parsed.is_primitive() && !parsed.is_string())
      try {
        apply(as_text(plain));
        return;
      } catch (const key_error&) {
        // What it was as JSON says more.
      }
    throw config_error(std::string{"--set: "} + e.what());
  }
}

// What a browser tells pages apart by, of an address that was checked.
std::string origin_of(const std::string& address) {
  auto url = ascii_lowered(address);
  const auto host = url.find("://") + 3;
  url.resize(std::min(url.find('/', host), url.size()));
  for (std::string_view port : {"https:443", "http:80"}) {
    const auto colon = port.find(':');
    if (url.starts_with(std::string{port.substr(0, colon)} + "://")
        && url.ends_with(port.substr(colon)))
      url.resize(url.size() - (port.size() - colon));
  }
  return url;
}

// What no single key can tell.
void check_together(const config& c) {
  if (c.sessions.default_expiry > c.sessions.max_expiry)
    throw config_error("sessions.default_expiry is "
                       + format_duration(c.sessions.default_expiry)
                       + ", but must not be above sessions.max_expiry, which "
                         "is "
                       + format_duration(c.sessions.max_expiry));
  if (c.cluster.heartbeat >= c.cluster.timeout)
    throw config_error("cluster.heartbeat is "
                       + format_duration(c.cluster.heartbeat)
                       + ", but must be below cluster.timeout, which is "
                       + format_duration(c.cluster.timeout));
  // Pages of sessions' programs would be the API's own to a browser.
  if (c.preview.domain.empty() && !c.preview.public_url.empty()
      && origin_of(c.preview.public_url) == origin_of(c.http.public_url))
    throw config_error("preview.public_url is " + c.preview.public_url
                       + ", but must not be http.public_url where "
                         "preview.domain is null");
}

} // namespace

void throw_bad_value(const std::string& where, const json& value,
                     bool may_quote, const std::string& expects) {
  if (!may_quote)
    throw key_error(where + " must be " + expects);
  constexpr std::size_t enough = 100;
  auto shown = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (shown.size() > enough) {
    // Not in the middle of a character.
    auto end = enough;
    while ((static_cast<unsigned char>(shown[end]) & 0xc0) == 0x80)
      --end;
    shown.resize(end);
    shown += "…";
  }
  throw key_error(where + " is " + shown + ", but must be " + expects);
}

std::string to_string(const endpoint& where) {
  auto host = where.host.find(':') == std::string::npos
                ? where.host
                : '[' + where.host + ']';
  return host + ':' + std::to_string(where.port);
}

std::string host_name() {
  std::array<char, 65> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0)
    return "localhost";
  std::string result = std::string{buffer.data()}.substr(0, 63);
  return kinds::is_node_name(result) ? result : "localhost";
}

config load_config(const std::optional<std::filesystem::path>& file,
                   std::span<const std::string> overrides) {
  config result;
  if (file)
    apply_file(*file, result);
  for (const auto& text : overrides)
    apply_override(text, result);
  check_together(result);
  return result;
}

nlohmann::ordered_json to_json(const config& c) {
  return write_keys(config_keys(), c);
}

std::string explain(const config& c) {
  std::string result;
  for (const auto& known : config_keys()) {
    auto value = known.write(c);
    // Projects' environments are nobody's business.
    if (known.path == "projects")
      std::ranges::for_each(value, [](auto& item) {
        item = nlohmann::ordered_json(item.at("id"));
      });
    result +=
      known.path + " = " + value.dump() + "  // " + known.purpose + '\n';
  }
  return result;
}

} // namespace greenroom
