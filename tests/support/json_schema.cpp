#include "tests/support/json_schema.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <stdexcept>
#include <string_view>

namespace greenroom::test {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 27> known_keywords{
  "$ref",     "allOf",         "oneOf",    "anyOf",
  "const",    "enum",          "type",     "properties",
  "required", "items",         "minItems", "additionalProperties",
  "maxItems", "minLength",     "pattern",  "maxLength",
  "minimum",  "maximum",       "format",   "description",
  "title",    "discriminator", "default",  "example",
  "examples", "deprecated",    "readOnly"};

bool has_type(const json& value, std::string_view type) {
  return (type == "object" && value.is_object())
         || (type == "array" && value.is_array())
         || (type == "string" && value.is_string())
         || (type == "boolean" && value.is_boolean())
         || (type == "integer" && value.is_number_integer())
         || (type == "number" && value.is_number())
         || (type == "null" && value.is_null());
}

bool has_one_type(const json& value, const json& types) {
  if (types.is_string())
    return has_type(value, types.get<std::string>());
  return std::ranges::any_of(types, [&](auto& type) {
    return has_type(value, type.template get<std::string>());
  });
}

/// Compiled once each: some tests read thousands of events.
const std::regex& compiled(const std::string& pattern) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<std::regex>> all;
  std::lock_guard lock{mutex};
  auto& slot = all[pattern];
  if (!slot)
    slot = std::make_unique<std::regex>(pattern, std::regex::ECMAScript);
  return *slot;
}

/// In code points, as JSON Schema counts.
std::size_t length_of(const std::string& utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string escaped(const std::string& name) {
  std::string result;
  for (auto c : name)
    if (c == '~')
      result += "~0";
    else if (c == '/')
      result += "~1";
    else
      result += c;
  return result;
}

/// For messages.
std::string shown(const json& value) {
  constexpr std::size_t enough = 120;
  auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= enough ? text : text.substr(0, enough) + "…";
}

/// One walk through a value. `names` gathers the properties that the schemas
/// of one object name, over allOf and oneOf; null where nobody asks.
class walk {
public:
  explicit walk(const json_schema& schemas) : schemas_(schemas) {}

  void check(const json& value, const json& named, const std::string& at,
             std::set<std::string>* names = nullptr) {
    auto& schema = schemas_.resolved(named);
    if (schema.is_boolean()) {
      if (!schema.get<bool>())
        fault(at, "nothing may be here");
      return;
    }
    know_keywords(schema);
    std::set<std::string> own;
    auto& all = names == nullptr ? own : *names;
    check_scalar(value, schema, at);
    check_parts(value, schema, at, all);
    if (value.is_array())
      check_items(value, schema, at);
    if (value.is_object())
      check_properties(value, schema, at, all);
    if (names == nullptr && value.is_object())
      check_strangers(value, schema, at, all);
  }

  std::vector<schema_mismatch> faults;

private:
  void fault(const std::string& at, std::string reason) {
    faults.push_back({at, std::move(reason)});
  }

  static void know_keywords(const json& schema) {
    for (auto& [keyword, unused] : schema.items())
      if (std::ranges::find(known_keywords, keyword) == known_keywords.end())
        throw std::runtime_error("a schema has the keyword " + keyword
                                 + ", which tests cannot check");
  }

  void check_scalar(const json& value, const json& schema,
                    const std::string& at) {
    if (schema.contains("type") && !has_one_type(value, schema["type"]))
      fault(at,
            "is " + shown(value) + ", not of type " + schema["type"].dump());
    if (schema.contains("const") && value != schema["const"])
      fault(at, "is " + shown(value) + ", not " + schema["const"].dump());
    if (schema.contains("enum")
        && std::ranges::find(schema["enum"], value) == schema["enum"].end())
      fault(at, "is " + shown(value) + ", none of " + schema["enum"].dump());
    if (value.is_string())
      check_text(value.get_ref<const std::string&>(), schema, at);
    if (value.is_number())
      check_number(value, schema, at);
  }

  void check_text(const std::string& text, const json& schema,
                  const std::string& at) {
    if (schema.contains("minLength") || schema.contains("maxLength")) {
      auto length = length_of(text);
      if (length < schema.value("minLength", std::size_t{0})
          || length > schema.value("maxLength", text.size()))
        fault(at, "has a length of " + std::to_string(length));
    }
    if (schema.contains("pattern")
        && !std::regex_search(text, compiled(schema["pattern"])))
      fault(at, shown(text) + " does not match " + schema["pattern"].dump());
  }

  void check_number(const json& value, const json& schema,
                    const std::string& at) {
    if (schema.contains("minimum") && value < schema["minimum"])
      fault(at, value.dump() + " is below " + schema["minimum"].dump());
    if (schema.contains("maximum") && value > schema["maximum"])
      fault(at, value.dump() + " is above " + schema["maximum"].dump());
  }

  void check_parts(const json& value, const json& schema, const std::string& at,
                   std::set<std::string>& names) {
    for (auto& part : schema.value("allOf", json::array()))
      check(value, part, at, &names);
    if (schema.contains("oneOf")) {
      if (auto* branch = discriminated(value, schema))
        check(value, *branch, at, &names);
      else
        check_branches(value, schema["oneOf"], at, names, true);
    }
    if (schema.contains("anyOf"))
      check_branches(value, schema["anyOf"], at, names, false);
  }

  /// The branch that the discriminator's value names; null without one.
  const json* discriminated(const json& value, const json& schema) const {
    if (!schema.contains("discriminator") || !value.is_object())
      return nullptr;
    auto& by = schema["discriminator"];
    auto tag = value.find(by["propertyName"].get<std::string>());
    if (tag == value.end() || !tag->is_string() || !by.contains("mapping"))
      return nullptr;
    auto to = by["mapping"].find(tag->get<std::string>());
    if (to == by["mapping"].end())
      return nullptr;
    for (auto& branch : schema["oneOf"])
      if (branch.value("$ref", "") == *to)
        return &branch;
    return nullptr;
  }

  void check_branches(const json& value, const json& branches,
                      const std::string& at, std::set<std::string>& names,
                      bool exactly_one) {
    std::size_t fit = 0;
    std::string why;
    for (auto& branch : branches) {
      walk trial{schemas_};
      std::set<std::string> trial_names;
      trial.check(value, branch, at, &trial_names);
      if (trial.faults.empty()) {
        ++fit;
        names.merge(trial_names);
      } else {
        auto& first = trial.faults.front();
        why += "; " + first.pointer + ' ' + first.reason;
      }
    }
    if (fit == 0 || (exactly_one && fit > 1))
      fault(at, shown(value) + " fits " + std::to_string(fit)
                  + " of the schemas of oneOf or anyOf" + why);
  }

  void check_items(const json& value, const json& schema,
                   const std::string& at) {
    if (value.size() < schema.value("minItems", std::size_t{0})
        || value.size() > schema.value("maxItems", value.size()))
      fault(at, "has " + std::to_string(value.size()) + " items");
    if (!schema.contains("items"))
      return;
    for (std::size_t i = 0; i < value.size(); ++i)
      check(value[i], schema["items"], at + '/' + std::to_string(i));
  }

  void check_properties(const json& value, const json& schema,
                        const std::string& at, std::set<std::string>& names) {
    for (auto& name : schema.value("required", json::array()))
      if (!value.contains(name.get<std::string>()))
        fault(at, "lacks " + name.dump() + ", which is required");
    auto properties = schema.find("properties");
    auto others = schema.find("additionalProperties");
    if (properties != schema.end())
      for (auto& [name, of] : properties->items()) {
        names.insert(name);
        if (auto field = value.find(name); field != value.end())
          check(*field, of, at + '/' + escaped(name));
      }
    if (others == schema.end())
      return;
    for (auto& [name, field] : value.items())
      if (properties == schema.end() || !properties->contains(name)) {
        names.insert(name);
        check(field, *others, at + '/' + escaped(name));
      }
  }

  void check_strangers(const json& value, const json& schema,
                       const std::string& at,
                       const std::set<std::string>& names) {
    // `{"type": "object"}` alone says that anything may be in it.
    if (names.empty() && !schema.contains("properties"))
      return;
    for (auto& [name, unused] : value.items())
      if (!names.contains(name))
        fault(at + '/' + escaped(name), "is not described");
  }

  const json_schema& schemas_;
};

} // namespace

std::vector<schema_mismatch> json_schema::check(const json& value,
                                                const json& schema) const {
  walk all{*this};
  all.check(value, schema, "");
  return std::move(all.faults);
}

const json& json_schema::resolved(const json& node) const {
  if (!node.is_object())
    return node;
  auto reference = node.find("$ref");
  if (reference == node.end())
    return node;
  auto to = reference->get<std::string>();
  if (!to.starts_with("#/"))
    throw std::runtime_error("a reference leaves the document: " + to);
  return resolved(document_.at(json::json_pointer(to.substr(1))));
}

} // namespace greenroom::test
