// The machinery under configuration tables: one description a key, which
// drives parsing, validation, dumping and explaining alike.
//
// A table is a vector of key<Target>. Names are paths (`http.listen`); what
// stands before the last dot is a section, an object in the JSON.
#pragma once

#include "runtime/config/suggest.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom {

/// A bad key or value: a sentence that begins with the key's path. Callers put
/// before it where the text came from.
class key_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

template <class Target>
struct key {
  std::string path;
  std::string expects; // "a size such as 1MiB"
  std::string purpose; // one sentence
  /// Stores a value or throws key_error; `where` is the path to name in it.
  std::function<void(const nlohmann::json&, Target&, const std::string& where)>
    read;
  std::function<nlohmann::ordered_json(const Target&)> write;
};

/// "http.threads is "two", but must be a whole number from 1 to 64".
[[noreturn]] void throw_bad_value(const std::string& where,
                                  const nlohmann::json& value, bool may_quote,
                                  const std::string& expects);

/// Describes a key by a kind (runtime/config/value_types.hpp) and an access
/// function that returns the field of a const or mutable target.
template <class Target, class Kind, class Access>
key<Target> describe(std::string path, Kind kind, Access access,
                     std::string purpose) {
  auto expects = kind.expects();
  auto read = [kind, access, expects](const nlohmann::json& value,
                                      Target& target,
                                      const std::string& where) {
    if (auto parsed = kind.read(value))
      access(target) = std::move(*parsed);
    else
      throw_bad_value(where, value, Kind::may_quote, expects);
  };
  auto write = [kind, access](const Target& target) -> nlohmann::ordered_json {
    return kind.write(access(target));
  };
  return {std::move(path), expects, std::move(purpose), std::move(read),
          std::move(write)};
}

/// Stores every field of `object` in `target`. `section` is the path inside
/// the table with its final dot, empty at the top; `prefix` stands before all
/// paths in errors. Throws key_error.
template <class Target>
void read_keys(const std::vector<key<Target>>& table,
               const nlohmann::json& object, Target& target,
               const std::string& prefix, const std::string& section = {}) {
  for (const auto& [name, value] : object.items()) {
    const auto path = section + name;
    const key<Target>* leaf = nullptr;
    bool is_section = false;
    // A dotted name in the JSON itself is no path.
    if (name.find('.') == std::string::npos)
      for (const auto& known : table) {
        if (known.path == path)
          leaf = &known;
        is_section = is_section || known.path.starts_with(path + '.');
      }
    if (leaf != nullptr) {
      leaf->read(value, target, prefix + path);
    } else if (!is_section) {
      std::vector<std::string_view> paths;
      for (const auto& known : table)
        paths.push_back(known.path);
      throw key_error(unknown_key(prefix, path, paths));
    } else if (!value.is_object()) {
      throw_bad_value(prefix + path, value, true, "an object");
    } else {
      read_keys(table, value, target, prefix, path + '.');
    }
  }
}

/// The object that read_keys takes, with every key in it.
template <class Target>
nlohmann::ordered_json write_keys(const std::vector<key<Target>>& table,
                                  const Target& target) {
  auto result = nlohmann::ordered_json::object();
  for (const auto& known : table) {
    auto* place = &result;
    std::string_view rest = known.path;
    for (auto dot = rest.find('.'); dot != std::string_view::npos;
         dot = rest.find('.')) {
      place = &(*place)[std::string{rest.substr(0, dot)}];
      rest.remove_prefix(dot + 1);
    }
    (*place)[std::string{rest}] = known.write(target);
  }
  return result;
}

} // namespace greenroom
